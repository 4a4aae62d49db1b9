// The page of a comparison of two runs, in the style of a run's own.

import type { RunContents } from "../run/runFolder.ts";
import {
  changeVerdict,
  compareRuns,
  type Difference,
  describeIntervals,
  type RunComparison,
  type Uncertainty,
} from "./comparison.ts";
import { type Html, html } from "./page/html.ts";
import { chart, page, type Section } from "./page/page.ts";
import { cell, code, heading, htmlTable, numberCell } from "./page/table.ts";
import { type KeyDifference, shownValue } from "./recipeDifference.ts";
import { runSeries } from "./series.ts";
import { change, score, trainingTexts } from "./text.ts";

const MOST_ROWS = 400;

/** The page's text. */
export async function comparePage(a: RunContents, b: RunContents, uncertainty?: Uncertainty): Promise<string> {
  const comparison = compareRuns(a, b, uncertainty);
  const names = distinctNames(comparison);
  const all = [a, b].map((run) => runSeries(run.rows, { stepsPerEpoch: run.log.size?.stepsPerEpoch }));
  const series = all[0]!.unit === all[1]!.unit ? all : [a, b].map(({ rows }) => runSeries(rows, { stepsPerEpoch: 1 }));
  const unit = all[0]!.unit === all[1]!.unit ? all[0]!.unit : "step";
  const end = Math.max(1e-9, ...series.flatMap(({ train, val }) => [train.x.at(-1) ?? 0, val.x.at(-1) ?? 0]));
  return page({
    title: `${names.join(" and ")} · rfdetr-train compare`,
    header: header(comparison, names),
    sections: sections(comparison, names),
    summary: comparison.summary,
    data: {
      ...{ unit, end },
      comparison: {
        runs: series.map(({ train, val }, i) => ({ name: names[i]!, train, val })),
        classes: comparison.classes,
      },
    },
  });
}

function header({ a, b, caveats }: RunComparison, names: Names): Html {
  return html`<p class="eyebrow">Comparison of two runs</p>
<h1>${names[0]} and ${names[1]}</h1>
<p class="lead">${a.dir} · ${b.dir}</p>
${caveats.map((text) => html`<p class="warning">${text}</p>`)}`;
}

function sections(comparison: RunComparison, names: Names): Section[] {
  const { recipe, environment } = comparison;
  const same = "The runs were made in the same environment.";
  return [
    { id: "metrics", name: "Metrics", content: metrics(comparison, names) },
    { id: "curves", name: "Over the run", content: curves(comparison) },
    ...(comparison.classes.length > 0 ? [{ id: "classes", name: "Classes", content: classes(comparison, names) }] : []),
    { id: "recipe", name: "Recipe", content: keys(recipe, { names, none: "The recipes are the same." }) },
    { id: "environment", name: "Environment", content: keys(environment, { names, none: same }) },
  ];
}

type Names = [string, string];

/** The runs' names, or their folders where they share a name. */
function distinctNames({ a, b }: RunComparison): Names {
  return a.name === b.name ? [a.dir, b.dir] : [a.name, b.name];
}

function metrics({ a, b, metrics, training, intervals }: RunComparison, names: Names): Html {
  const at = ({ best }: RunComparison["a"]) => (best ? `epoch ${best.epoch + 1}, by ${best.metric}` : "none");
  return html`<p class="soft">Of the best evaluation of each run (${at(a)}; ${at(b)}).</p>
${scores(metrics, names)}
${intervals && html`<p class="soft">${describeIntervals(intervals)}</p>`}
<h3 style="margin-top: 1.8rem">Training</h3>
${pairs(
  training.map(trainingTexts).map(({ name, texts }) => [heading(name), ...texts.map(numberCell)]),
  names,
)}`;
}

/** Scores of both runs and their change; more is better. */
function scores(rows: readonly Difference[], names: Names): Html {
  const cells = rows.slice(0, MOST_ROWS).map((row) => {
    const { name, a, b, change: by, half } = row;
    const alone = by === null ? "–" : change(by);
    const none = alone === "0.000" || (half !== undefined && Math.abs(by!) <= half);
    const word = by === null || none ? "" : by > 0 ? "better" : "worse";
    const text = half === undefined ? alone : html`${alone} <small>± ${half.toFixed(3)}${none && `: ${changeVerdict(row)}`}</small>`; // biome-ignore format: one line
    return [heading(name), numberCell(score(a)), numberCell(score(b)), cell(text, `number ${word}`)];
  });
  return pairs(cells, names);
}

function pairs(rows: readonly (readonly Html[])[], names: Names): Html {
  const columns = ["", ...[...names, "Change"].map((number) => ({ number }))];
  return htmlTable({ className: "pairs", columns, rows });
}

function curves({ class_metric: main }: RunComparison): Html {
  return html`<div class="grid">
${chart("both-ap", { title: main, note: "On the validation images." })}
${chart("both-loss", { title: "Training loss", note: "Faint: as recorded. Bold: smoothed." })}
</div>`;
}

function classes({ classes, class_metric: main }: RunComparison, names: Names): Html {
  const rest = classes.length - MOST_ROWS;
  return html`<p class="soft">${main} of each class at the best evaluation of each run, largest change first.</p>
<div class="grid">${chart("class-pairs", { title: `${main} by class`, wide: true })}</div>
<details><summary>Table of classes</summary>${scores(classes, names)}
${rest > 0 && html`<p class="soft">${rest} more classes are in the output of compare --json.</p>`}</details>`;
}

function keys(differences: readonly KeyDifference[], { names, none }: { names: Names; none: string }): Html {
  if (differences.length === 0) return html`<p class="soft">${none}</p>`;
  return htmlTable({
    className: "keys",
    columns: ["Key", ...names],
    rows: differences.map(({ key, a, b }) => [
      heading(code(key)),
      cell(code(shownValue(a))),
      cell(code(shownValue(b))),
    ]),
  });
}
