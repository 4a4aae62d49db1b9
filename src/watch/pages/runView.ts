// The page of one run, as it goes on.

import type { LivePage } from "../../report/page/page.ts";
import { shownMetrics } from "../../report/page/page.ts";
import { type Once, type RunParts, runParts } from "../../report/runPage.ts";
import { runTitle } from "../../run/runFolder.ts";
import { type Moment, momentOf } from "../runs/moment.ts";
import type { RunReader } from "../runs/runReader.ts";
import { board } from "../serve/board.ts";
import type { LiveView } from "../serve/view.ts";
import { momentPanel } from "./panel.ts";

/** How a run stands, for people who look at no page. */
export type RunView = LiveView & { readonly moment: Moment | undefined; readonly name: string };

/** `base`: where the page is, "" at the top; `back`: the address of all runs, where there are others. */
export function runView(
  dir: string,
  { reader, base, back, control }: { reader: RunReader; base: string; back?: string | undefined; control: boolean },
): RunView {
  const parts = board();
  const once = remembering();
  let made: { content: RunParts; version: number } | undefined;
  let moment: Moment | undefined;
  let panel: LivePage["panel"] | undefined;
  let name = dir;
  return {
    board: parts,
    get moment() {
      return moment;
    },
    get name() {
      return name;
    },
    refresh: async () => {
      const { run, pictures, defaults, version } = await reader.read();
      name = runTitle(run);
      moment = momentOf(run, { now: Date.now() });
      panel = momentPanel(moment, { back });
      parts.put("now", panel, () => panel!.text);
      if (made?.version === version) return;
      made = { content: runParts(run, pictures, { defaults, follows: true, once }), version };
      putContent(parts, made.content);
    },
    content: () => ({ ...made!.content, live: { panel: panel!, base, from: parts.revision, control } }),
  };
}

function putContent(parts: ReturnType<typeof board>, { title, header, sections, summary, data }: RunParts): void {
  parts.put("title", title);
  parts.put("header", header, () => header.text);
  parts.put("layout", sections, () => sections.map(({ id, name }) => [id, name]));
  for (const { id, content } of sections) parts.put(`section ${id}`, content, () => content.text);
  parts.put("page metrics", summary, () => shownMetrics(summary));
  const { run = {}, ...page } = data;
  for (const [key, value] of Object.entries(page)) parts.put(`page ${key}`, value);
  for (const [key, value] of Object.entries(run)) parts.put(`run ${key}`, value);
}

/** What was made last under each name, where it is made of the same values again. */
function remembering(): Once {
  const known = new Map<string, { of: readonly unknown[]; made: unknown }>();
  return <Made>(name: string, of: readonly unknown[], make: () => Made) => {
    const last = known.get(name);
    if (last && last.of.length === of.length && last.of.every((value, i) => Object.is(value, of[i])))
      return last.made as Made;
    const made = make();
    known.set(name, { of, made });
    return made;
  };
}
