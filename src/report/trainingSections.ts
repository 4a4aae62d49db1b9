// The parts of a run's page that show its training: metrics over the run, losses, learning rates and speed.

import { type LossTerm, lossTerms } from "../instance/lossTerms.ts";
import { type FURTHER_METRICS, MAIN_METRIC, MASK_METRIC } from "../instance/metrics.ts";
import type { RunContents } from "../run/runFolder.ts";
import { type Html, html } from "./page/html.ts";
import { chart, type Section } from "./page/page.ts";
import type { LossChart, StageSpan } from "./page/pageData.ts";
import { cell, heading, htmlTable, numberCell } from "./page/table.ts";
import type { RunSeries } from "./series.ts";

/** Sections for the page, in order. */
export function trainingSections(
  run: RunContents,
  { series, stages }: { series: RunSeries; stages: readonly RecipeStage[] },
): Section[] {
  const terms = Object.keys(series.train.values);
  const shown = lossTerms(terms);
  return [
    { id: "progress", name: "Progress", content: progress(run, { series, staged: stages.length > 1 }) },
    ...(shown.length > 0 ? [{ id: "losses", name: "Losses", content: losses(shown) }] : []),
    ...(hasTrained(run) ? [{ id: "optimisation", name: "Optimisation", content: optimisation(run, stages) }] : []),
  ];
}

function hasTrained({ rows }: RunContents): boolean {
  return rows.some(({ split }) => split === "train");
}

function progress(run: RunContents, { series, staged }: { series: RunSeries; staged: boolean }): Html {
  const { rows, metric, recipe } = run;
  const averaged = (recipe.train as { ema?: unknown } | undefined)?.ema !== "none";
  const of = averaged ? "of the moving average of the weights" : "of the weights";
  const choice = metric === MAIN_METRIC ? "" : `; the best is chosen by ${metric}`;
  const shading = staged ? " Shading marks the stages of the training." : "";
  const masks = MASK_METRIC in series.val.values;
  const ring = "The ring marks the best evaluation.";
  const ap = masks ? { title: "Average precision of boxes" } : { title: "Average precision", note: ring };
  const epochs = {
    title: "Loss by epoch",
    note: "Means over the steps of an epoch, and over the validation images. Where validation rises while training falls, the run learns its images by heart.",
  };
  const has = (...names: (typeof FURTHER_METRICS)[number][]) => names.some((name) => name in series.val.values);
  const found = {
    title: "F1, precision and recall",
    note: `At each evaluation's best F1, means over the classes at IoU ${masks ? "of masks " : ""}0.5.`,
  };
  const sizes = {
    title: "Average precision by size",
    note: `AP50:95 of boxes: small below 32² pixels of the image's file, large above 96².`,
  };
  const loss = { title: "Training loss", note: "Faint: as recorded. Bold: smoothed." };
  return html`<p class="soft">Metrics ${of} on the validation images${choice}.${shading}</p>
<div class="grid">
${masks && chart("ap-masks", { title: "Average precision of masks", note: ring })}
${rows.some(({ split }) => split === "val") ? chart("ap", ap) : html`<p class="soft">Not evaluated yet.</p>`}
${hasTrained(run) ? chart("loss", loss) : html`<p class="soft">No step has been recorded yet.</p>`}
</div>
<div class="grid three" style="margin-top: 2rem">
${series.losses.x.length > 0 && chart("epoch-loss", epochs)}
${has("F1", "precision", "recall") && chart("found", found)}
${has("APs", "APm", "APl") && chart("ap-sizes", sizes)}
</div>`;
}

function losses(terms: readonly LossTerm[]): Html {
  return html`<p class="soft">Terms of the loss before their weights, smoothed.
Bold is the decoder's last layer, grey its earlier ones, orange the encoder's own proposals.</p>
<div class="grid three">${terms.map(({ term, title, description }) => chart(lossChart(term), { title, note: description }))}</div>`;
}

function lossChart(term: string): LossChart {
  return `loss-${term.slice("loss_".length)}`;
}

/** A stage as the recipe has it; `factor` multiplies the learning rates. */
export type RecipeStage = StageSpan & { trains: string[]; factor: number };

/** The recipe's stages; none where it has none. */
export function recipeStages({ train }: Record<string, unknown>): RecipeStage[] {
  const { stages, epochs } = (train ?? {}) as { stages?: unknown; epochs?: unknown };
  if (!Array.isArray(stages)) return [];
  const end = typeof epochs === "number" ? epochs : 1e9;
  return stages.map((stage: { from_epoch: number; train: string[]; lr_factor?: number }, i) => ({
    ...{ number: i + 1, from: stage.from_epoch, trains: [stage.train].flat(), factor: stage.lr_factor ?? 1 },
    to: (stages[i + 1] as { from_epoch: number } | undefined)?.from_epoch ?? end,
  }));
}

function optimisation({ rows }: RunContents, stages: readonly RecipeStage[]): Html {
  const has = (name: string) => rows.some((row) => name in row);
  const rates = {
    title: "Learning rates",
    note: "The recipe's rates times schedule and stage; layers further down have lower ones.",
    wide: true,
  };
  return html`<p class="soft">What drives the training, and what it costs.</p>
<div class="grid">
${chart("learning-rate", rates)}
</div>
${stages.length > 1 && stageTable(stages)}
<div class="grid three" style="margin-top: 2rem">
${has("grad_norm") && chart("grad-norm", { title: "Norm of the gradient", note: "Before clipping." })}
${has("images_per_second") && chart("speed", { title: "Images a second" })}
${has("data_wait") && chart("wait", { title: "Waiting for images", note: "Share of each step." })}
</div>`;
}

function stageTable(stages: readonly RecipeStage[]): Html {
  return htmlTable({
    caption: "Stages of the training",
    columns: ["Stage", "From epoch", "Trains", { number: "Learning rates" }],
    rows: stages.map(({ number, from, trains, factor }) => [
      heading(number),
      cell(from),
      cell(trains.join(", ")),
      numberCell(`× ${factor}`),
    ]),
  });
}
