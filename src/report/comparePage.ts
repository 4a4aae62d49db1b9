// The page of a comparison of two runs, in the style of a run's own.

import type { RunFolder } from "../run/runFolder.ts";
import { type Comparison, compareRuns, type Difference } from "./comparison.ts";
import { type Html, html } from "./html.ts";
import { chart, page } from "./page.ts";
import { type KeyDifference, shownValue } from "./recipeDifference.ts";
import { runSeries } from "./series.ts";
import { change, score } from "./text.ts";

const MOST_ROWS = 400;

/** The page's text. */
export async function comparePage(a: RunFolder, b: RunFolder): Promise<string> {
  const comparison = compareRuns(a, b);
  const names = distinctNames(comparison);
  const all = [a, b].map((run) => runSeries(run.rows, run.log.size?.stepsPerEpoch));
  const series = all[0]!.unit === all[1]!.unit ? all : [a, b].map(({ rows }) => runSeries(rows, 1));
  const unit = all[0]!.unit === all[1]!.unit ? all[0]!.unit : "step";
  const end = Math.max(1e-9, ...series.flatMap(({ train, val }) => [train.x.at(-1) ?? 0, val.x.at(-1) ?? 0]));
  const data = {
    ...{ unit, end, classes: comparison.classes },
    runs: series.map(({ train, val }, i) => ({ name: names[i], train, val })),
  };
  const sections: { id: string; name: string; content: Html }[] = [
    { id: "metrics", name: "Metrics", content: metrics(comparison, names) },
    { id: "curves", name: "Over the run", content: curves() },
    ...(comparison.classes.length > 0 ? [{ id: "classes", name: "Classes", content: classes(comparison, names) }] : []),
    { id: "recipe", name: "Recipe", content: keys(comparison.recipe, names, "The recipes are the same.") },
    {
      id: "environment",
      name: "Environment",
      content: keys(comparison.environment, names, "The runs were made in the same environment."),
    },
  ];
  const body = html`<header>
<p class="eyebrow">Comparison of two runs</p>
<h1>${names[0]} and ${names[1]}</h1>
<p class="lead">${comparison.a.dir} · ${comparison.b.dir}</p>
${comparison.caveats.map((text) => html`<p class="warning">${text}</p>`)}
<nav aria-label="Sections"><ul>${sections.map(({ id, name }) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
</header>
<main id="content">
${sections.map(({ id, name, content }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${name}</h2>\n${content}</section>\n`)}
</main>`;
  return page({ title: `${names.join(" and ")} · rfdetr-train compare`, body, data });
}

type Names = [string, string];

/** The runs' names, or their folders where they share a name. */
function distinctNames({ a, b }: Comparison): Names {
  return a.name === b.name ? [a.dir, b.dir] : [a.name, b.name];
}

function metrics({ a, b, metrics, training }: Comparison, names: Names): Html {
  const at = ({ best }: Comparison["a"]) => (best ? `epoch ${best.epoch + 1}, by ${best.metric}` : "none");
  return html`<p class="soft">Of the best evaluation of each run (${at(a)}; ${at(b)}).</p>
${table(metrics, names, { number: score, judged: true })}
<h3 style="margin-top: 1.8rem">Training</h3>
${table(training, names, { number: plain, judged: false })}`;
}

function plain(value: unknown): string {
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : "–";
}

function table(
  rows: readonly Difference[],
  [one, two]: Names,
  { number, judged }: { number: (value: unknown) => string; judged: boolean },
): Html {
  return html`<div class="table"><table class="pairs">
<thead><tr><th scope="col"></th><th scope="col" class="number">${one}</th><th scope="col" class="number">${two}</th><th scope="col" class="number">Change</th></tr></thead>
<tbody>${rows.slice(0, MOST_ROWS).map(({ name, a, b, change: by }) => {
    const text = by === null ? "–" : judged ? change(by) : signed(by);
    const word = !judged || by === null || text === "0.000" ? "" : by > 0 ? "better" : "worse";
    return html`<tr><th scope="row">${name}</th><td class="number">${number(a)}</td><td class="number">${number(b)}</td><td class="number ${word}">${text}</td></tr>`;
  })}</tbody></table></div>`;
}

function signed(value: number): string {
  return value === 0 ? "0" : `${value > 0 ? "+" : "−"}${plain(Math.abs(value))}`;
}

function curves(): Html {
  return html`<div class="grid">
${chart("both-ap", "AP50:95", "On the validation images.")}
${chart("both-loss", "Training loss", "Faint: as recorded. Bold: smoothed.")}
</div>`;
}

function classes({ classes }: Comparison, names: Names): Html {
  const rest = classes.length - MOST_ROWS;
  return html`<p class="soft">AP50:95 of each class at the best evaluation of each run, largest change first.</p>
<div class="grid">${chart("class-pairs", "AP50:95 by class", "", { wide: true })}</div>
<details><summary>Table of classes</summary>${table(classes, names, { number: score, judged: true })}
${rest > 0 && html`<p class="soft">${rest} more classes are in the output of compare --json.</p>`}</details>`;
}

function keys(differences: readonly KeyDifference[], [one, two]: Names, none: string): Html {
  if (differences.length === 0) return html`<p class="soft">${none}</p>`;
  return html`<div class="table"><table>
<thead><tr><th scope="col">Key</th><th scope="col">${one}</th><th scope="col">${two}</th></tr></thead>
<tbody>${differences.map(({ key, a, b }) => html`<tr><th scope="row"><code>${key}</code></th><td><code>${shownValue(a)}</code></td><td><code>${shownValue(b)}</code></td></tr>`)}</tbody></table></div>`;
}
