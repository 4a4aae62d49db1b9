// The page of a folder of runs: a card for each, with its curve; and that of a folder where nothing is yet.

import { createHash } from "node:crypto";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Html, html } from "../../report/page/html.ts";
import { duration, moment as inTime, plural, score } from "../../report/text.ts";
import { runFiles } from "../../run/files.ts";
import { runTitle } from "../../run/runFolder.ts";
import { type Moment, momentOf, scoresOf } from "../runs/moment.ts";
import { holdsRecipe, type RunReader, runReader } from "../runs/runReader.ts";
import { board } from "../serve/board.ts";
import type { LiveView } from "../serve/view.ts";
import { isUnderWay, placeOf, progressShare, STATE_NAMES } from "./panel.ts";

/** Runs that a page has at most: the ones that changed last. */
const MOST_RUNS = 60;
/** Entries of a folder that are looked at. */
const MOST_ENTRIES = 2000;

/** A run of a folder. `id` stands for its name in addresses, from which no path is ever made. */
export type FoundRun = { id: string; dir: string; reader: RunReader };

/** The runs that lie in a folder, by their ids; those that changed last where they are very many. */
export function runsFinder(dir: string): () => Promise<Map<string, FoundRun>> {
  const known = new Map<string, FoundRun>();
  return async () => {
    const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
    const folders = entries.filter((entry) => entry.isDirectory()).slice(0, MOST_ENTRIES);
    const dated = await Promise.all(
      folders.map(async ({ name }) => {
        const path = join(dir, name);
        return (await holdsRecipe(path)) ? { path, name, changed: await changedAt(path) } : undefined;
      }),
    );
    const newest = dated
      .filter((one) => one !== undefined)
      .sort((a, b) => b.changed - a.changed)
      .slice(0, MOST_RUNS);
    return new Map(
      newest.map(({ path, name }) => {
        const id = createHash("sha256").update(name).digest("hex").slice(0, 16);
        const run = known.get(id) ?? { id, dir: path, reader: runReader(path) };
        known.set(id, run);
        return [id, run];
      }),
    );
  };
}

async function changedAt(dir: string): Promise<number> {
  const { metrics, recipe } = runFiles(dir);
  for (const path of [metrics, recipe]) {
    const facts = await lstat(path).catch(() => undefined);
    if (facts) return facts.mtimeMs;
  }
  return 0;
}

type Card = { id: string; title: string; moment: Moment; scores: number[]; best: number | null; metric: string; last: string | null }; // biome-ignore format: one line

export function folderView(dir: string, find: () => Promise<Map<string, FoundRun>>): LiveView {
  const parts = board();
  const title = `${dir} · rfdetr-train`;
  let cards: Html = html``;
  let panel: Html = html``;
  return {
    board: parts,
    refresh: async () => {
      const runs = await find();
      const shown: Card[] = [];
      for (const run of runs.values()) {
        const card = await cardOf(run);
        if (card) shown.push(card);
      }
      shown.sort((a, b) => Number(isUnderWay(b.moment.state)) - Number(isUnderWay(a.moment.state)));
      cards = html`<div class="cards">${shown.map(cardHtml)}</div>`;
      const going = shown.filter(({ moment }) => isUnderWay(moment.state)).length;
      panel = html`<p class="now-line"><b class="dot ${going > 0 ? "running" : "done"}"></b><strong>${plural(shown.length, "run")}</strong><span>${going === 0 ? "none goes on" : `${going} ${going === 1 ? "goes" : "go"} on`}</span></p>`;
      parts.put("now", panel, () => panel.text);
      parts.put("section runs", cards, () => cards.text);
    },
    content: () => ({
      title,
      header: html`<p class="eyebrow">Training runs</p><h1>${dir}</h1>`,
      sections: [{ id: "runs", name: "Runs", content: cards }],
      ...{ summary: [], data: { unit: "step", end: 1 } },
      live: { panel, base: "", from: parts.revision, control: false },
    }),
  };
}

/** Undefined for a run that cannot be read. */
async function cardOf({ id, reader }: FoundRun): Promise<Card | undefined> {
  try {
    const { run, holder } = await reader.read();
    if (!holder) reader.forget();
    const moment = momentOf(run, { now: Date.now() });
    const scores = scoresOf(run);
    const best = scores.length > 0 ? Math.max(...scores) : null;
    return { id, title: runTitle(run), moment, scores, best, metric: run.metric, last: run.log.last };
  } catch {
    return undefined; // it may be read the next time
  }
}

function cardHtml({ id, title, moment, scores, best, metric, last }: Card): Html {
  const share = progressShare(moment);
  const { state, secondsLeft } = moment;
  const when = isUnderWay(state)
    ? secondsLeft !== null && `about ${duration(secondsLeft)} left`
    : last && inTime(last).slice(0, 10);
  return html`<a class="card" href="/runs/${id}/">
<span class="card-title"><b class="dot ${state}"></b>${title}</span>
${curve(scores)}
<span class="card-line"><strong>${score(best)}</strong> <span>best ${metric}</span></span>
${share !== null && html`<span class="track"><b style="width: ${(100 * share).toFixed(2)}%"></b></span>`}
<span class="card-line soft">${[STATE_NAMES[state], placeOf(moment)[0], when].filter(Boolean).join(" · ")}</span>
</a>
`;
}

/** A metric over the evaluations of a run, from 0 up. */
function curve(scores: readonly number[]): Html {
  const every = Math.ceil(scores.length / 100);
  const shown = scores.filter((_, i) => (scores.length - 1 - i) % every === 0);
  const most = Math.max(1e-6, ...shown);
  const points = shown.map((value, i) => `${((100 * i) / Math.max(1, shown.length - 1)).toFixed(1)},${(30 - (27 * value) / most).toFixed(1)}`); // biome-ignore format: one line
  return html`<svg class="curve" viewBox="0 0 100 32" preserveAspectRatio="none" aria-hidden="true">${points.length > 1 && html`<polyline points="${points.join(" ")}"/>`}</svg>`;
}

/** A page that waits until there is something to show. */
export function waitingView(dir: string): LiveView {
  const parts = board();
  const panel = html`<p class="now-line"><b class="dot starting"></b><strong>Waiting</strong><span>for a run in ${dir}</span></p>`;
  return {
    board: parts,
    refresh: async () => {},
    content: () => ({
      title: `${dir} · rfdetr-train`,
      header: html`<p class="eyebrow">Training run</p><h1>${dir}</h1><p class="lead">There is no run here yet. When one begins, this page shows it.</p>`,
      ...{ sections: [], summary: [], data: { unit: "step", end: 1 } },
      live: { panel, base: "", from: parts.revision, control: false },
    }),
  };
}
