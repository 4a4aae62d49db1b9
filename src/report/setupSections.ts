// The parts of a run's page that show what it was made with, how to repeat it, and what happened.

import type { RunContents } from "../run/runFolder.ts";
import type { Fact } from "../util/text/fact.ts";
import { type Html, html } from "./page/html.ts";
import type { Section } from "./page/page.ts";
import { cell, code, heading, htmlTable } from "./page/table.ts";
import { recipeDifference, shownValue } from "./recipeDifference.ts";
import { moment, plural, shellWord } from "./text.ts";

type Recipe = Record<string, unknown>;

/** Sections for the page, in order. `defaults`: the recipe as it would be if nothing had been given. */
export function setupSections(run: RunContents, { defaults }: { defaults?: Recipe | undefined }): Section[] {
  return [
    { id: "recipe", name: "Recipe", content: recipe(run, { defaults }) },
    { id: "environment", name: "Environment", content: environment(run) },
    { id: "repeat", name: "How to repeat it", content: repeat(run) },
    ...(run.log.events.length > 0 ? [{ id: "log", name: "What happened", content: events(run) }] : []),
  ];
}

function recipe(
  { recipe: values, recipeText, log }: RunContents,
  { defaults }: { defaults?: Recipe | undefined },
): Html {
  return html`${log.facts.length > 0 && facts(log.facts)}
${defaults && setKeys(values, defaults)}
<details><summary>The whole recipe, defaults filled in</summary><pre tabindex="0">${recipeText}</pre></details>`;
}

/** Name and value as a row of two cells. */
function facts(some: readonly Fact[]): Html {
  const rows = some.map(({ name, value }) =>
    name === "" ? [html`<td colspan="2">${value}</td>`] : [heading(name), cell(value)],
  );
  return html`<p class="soft">What the recipe came to on this machine:</p>${htmlTable({ rows })}<br>`;
}

function setKeys(values: Recipe, defaults: Recipe): Html {
  const different = recipeDifference(defaults, values).filter(({ b }) => b !== undefined);
  const some = "What this recipe sets; every other key has its default.";
  return htmlTable({
    className: "keys",
    caption: different.length === 0 ? "Every key has its default." : some,
    columns: ["Key", "Value", "Default"],
    rows: different.map(({ key, a, b }) => [
      heading(code(key)),
      cell(code(shownValue(b))),
      cell(code(shownValue(a)), "soft"),
    ]),
  });
}

function environment({ environment: found }: RunContents): Html {
  if (!found) return html`<p class="soft">environment.json is not there or cannot be read.</p>`;
  const { git, cpu, dataset } = found;
  const rows: [string, string][] = [
    ["rfdetr-train", found.rfdetr_train],
    ["Node", found.node],
    ["TensorFlow.js", found.tfjs],
    ["libtensorflow", found.libtensorflow],
    ["sharp", found.sharp ?? "–"],
    ["onnxruntime", found.onnxruntime ?? "–"],
    ["Device", found.device],
    ["CPU", `${cpu?.model}, ${plural(cpu?.cores ?? 0, "core")}`],
    ["Memory", `${(found.memory_bytes / 1e9).toFixed(1)} GB`],
    ["Platform", found.platform],
    ["Git commit", git ? `${git.commit}${git.changed ? ", with changes" : ""}` : "no checkout"],
    ["Data set", dataset?.fingerprint],
    ["Started", moment(String(found.started))],
  ];
  return htmlTable({ rows: rows.map(([name, value]) => [heading(name), cell(value)]) });
}

function repeat({ dir, environment: found, name }: RunContents): Html {
  const commit = found?.git?.commit;
  const commands = [
    ...(commit && /^[0-9a-f]{7,64}$/.test(commit) ? [`git checkout ${commit}`] : []),
    `npx rfdetr-train --recipe ${shellWord(`${dir}/recipe.yaml`)} --run ${shellWord(`checkpoints/${name}-again`)}`,
    `npx rfdetr-train compare ${shellWord(dir)} ${shellWord(`checkpoints/${name}-again`)}`,
  ];
  const changed = found?.git?.changed ? " The checkout had changes that its commit does not have." : "";
  return html`<p class="soft">The resolved recipe holds everything; with the same data and versions it repeats this run.
On one CPU machine the result is the same to the byte; a GPU promises no such thing.${changed}</p>
<pre tabindex="0">${commands.join("\n")}</pre>`;
}

/** More are in the log only. */
const SHOWN_EVENTS = 60;

function events({ log }: RunContents): Html {
  const shown = log.events.slice(-SHOWN_EVENTS);
  const left = log.events.length > shown.length;
  const items = shown.map(({ time, level, message }) => {
    const when = html`<time datetime="${time}">${moment(time)}</time>`;
    return html`<li>${when}<span class="${level}">${message}</span></li>`;
  });
  return html`${left && html`<p class="soft">The last ${SHOWN_EVENTS}; log.jsonl has all.</p>`}<ol class="events">${items}</ol>`;
}
