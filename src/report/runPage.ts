// The page of one run, from its folder.

import type { ValRow } from "../run/events.ts";
import { metricValue, type Pictures, type RunFolder } from "../run/runFolder.ts";
import type { RunStatus } from "../run/runLog.ts";
import { evaluationSections } from "./evaluationSections.ts";
import { exportSection } from "./exportSection.ts";
import { type Html, html } from "./html.ts";
import { chart, page } from "./page.ts";
import { recipeDifference, shownValue } from "./recipeDifference.ts";
import { runSeries } from "./series.ts";
import { duration, moment, plural, score, shellWord } from "./text.ts";

/** The page's text. `defaults`: the recipe as it would be if the person had given nothing, where that is known. */
export async function runPage(
  run: RunFolder,
  { pictures, defaults }: { pictures: Pictures; defaults?: Record<string, unknown> | undefined },
): Promise<string> {
  const { rows, log, evaluation, best } = run;
  const series = runSeries(rows, log.size?.stepsPerEpoch);
  const end = Math.max(1e-9, series.train.x.at(-1) ?? 0, series.val.x.at(-1) ?? 0);
  const stages = stagesOf(run.recipe, series.unit === "epoch" ? 1 : undefined);
  const shown = evaluation && {
    ...{ threshold: evaluation.threshold, f1Sweep: evaluation.f1Sweep, confusion: evaluation.confusion },
    precisionRecall: evaluation.precisionRecall,
    perClass: [...evaluation.perClass].sort((a, b) => (b["AP50:95"] ?? -1) - (a["AP50:95"] ?? -1)),
  };
  const bestPoint = best && { x: series.val.x[series.val.step.indexOf(best.step)], y: best["AP50:95"] };
  const data = {
    ...{ ...series, end, stages, evaluation: shown },
    best: bestPoint?.x === undefined || bestPoint.y === null ? null : bestPoint,
  };
  const trained = rows.some(({ split }) => split === "train");
  const terms = trained ? lossTerms(series.train.values) : [];
  const sections: { id: string; name: string; content: Html }[] = [
    { id: "progress", name: "Progress", content: progress(run, stages.length > 1) },
    ...(terms.length > 0 ? [{ id: "losses", name: "Losses", content: losses(terms) }] : []),
    ...(trained ? [{ id: "optimisation", name: "Optimisation", content: optimisation(run, stages) }] : []),
    ...(shown && evaluation ? evaluationSections({ run, evaluation, perClass: shown.perClass, pictures }) : []),
    ...(run.exported.length > 0 ? [{ id: "export", name: "Export", content: exportSection(run.exported) }] : []),
    { id: "recipe", name: "Recipe", content: recipe(run, defaults) },
    { id: "environment", name: "Environment", content: environment(run) },
    { id: "repeat", name: "How to repeat it", content: repeat(run) },
    ...(log.events.length > 0 ? [{ id: "log", name: "What happened", content: events(run) }] : []),
  ];
  const body = html`<header>
<p class="eyebrow">Training run</p>
<h1>${run.name}</h1>
<p class="lead">${lead(run)}${log.status === "running" && html`<br>This page is made anew after every evaluation; reload it to see more.`}</p>
${keyFigures(run)}
<nav aria-label="Sections"><ul>${sections.map(({ id, name }) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
</header>
<main id="content">
${sections.map(({ id, name, content }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${name}</h2>\n${content}</section>\n`)}
</main>`;
  return page({ title: `${run.name} · rfdetr-train`, body, data });
}

const STATUS: Record<RunStatus, string> = {
  done: "Done",
  interrupted: "Stopped, resumable",
  "out-of-time": "Stopped at its time limit",
  failed: "Failed",
  running: "Running",
};

/** "Done after 24 of 50 epochs, 528 steps, in 3 min; 2026-03-04 05:06 UTC." */
function lead({ log, rows, environment }: RunFolder): string {
  const last = rows.at(-1);
  if (!last) return `${STATUS[log.status]}. Nothing has been recorded yet.`;
  const epochs = log.size
    ? `${last.epoch + 1} of ${plural(log.size.epochs, "epoch")}`
    : plural(last.epoch + 1, "epoch");
  const time = log.seconds === null ? "" : ` in ${duration(log.seconds)}`;
  const when = log.last ?? environment?.started;
  const verb = log.status === "running" ? "in epoch" : "after";
  return `${STATUS[log.status]} ${verb} ${epochs}, ${plural(last.step, "step")}${time}${when ? ` · ${moment(when)}` : ""}`;
}

function keyFigures(run: RunFolder): Html {
  const { best, metric, rows, evaluation, environment } = run;
  const last = rows.findLast((row): row is ValRow => row.split === "val");
  const row = best ?? last;
  const at = row ? `${best ? "best" : "last"}, epoch ${row.epoch + 1}` : "not evaluated yet";
  const ofClass =
    metric.startsWith("AP:") && row ? [{ name: metric, value: score(metricValue(row, metric)), note: at }] : [];
  const figures: { name: string; value: string; note?: string }[] = [
    ...ofClass,
    { name: "AP50:95", value: score(row?.["AP50:95"]), note: at },
    { name: "AP50", value: score(row?.AP50) },
    { name: "AP75", value: score(row?.AP75) },
    { name: "AR", value: score(row?.AR) },
    ...(evaluation
      ? [{ name: "F1", value: score(evaluation.f1.f1), note: `confidence ${evaluation.f1.threshold.toFixed(2)}` }]
      : []),
    ...(evaluation ? [{ name: "Images evaluated", value: evaluation.images.toLocaleString("en") }] : []),
    ...(environment ? [{ name: "Device", value: environment.device === "cpu" ? "CPU" : environment.device }] : []),
  ];
  return html`<dl class="figures">${figures.map(
    ({ name, value, note }, i) =>
      html`<div${i === 0 ? html` class="main"` : ""}><dt>${name}</dt><dd>${value}${note && html`<small>${note}</small>`}</dd></div>`,
  )}</dl>`;
}

function progress({ rows, metric, recipe }: RunFolder, staged: boolean): Html {
  const evaluated = rows.some(({ split }) => split === "val");
  const trained = rows.some(({ split }) => split === "train");
  const averaged = (recipe.train as { ema?: unknown } | undefined)?.ema !== "none";
  const of = averaged ? "of the moving average of the weights" : "of the weights";
  return html`<p class="soft">Metrics ${of} on the validation images${metric === "AP50:95" ? "" : html`; the best is chosen by ${metric}`}.${staged ? " Shading marks the stages of the training." : ""}</p>
<div class="grid">
${evaluated ? chart("ap", "Average precision", "The ring marks the best evaluation.") : html`<p class="soft">Not evaluated yet.</p>`}
${trained ? chart("loss", "Training loss", "Faint: as recorded. Bold: smoothed.") : html`<p class="soft">No step has been recorded yet.</p>`}
</div>`;
}

const TERMS = [
  { term: "loss_ce", chart: "loss-ce", title: "Classes" },
  { term: "loss_bbox", chart: "loss-bbox", title: "Boxes, L1" },
  { term: "loss_giou", chart: "loss-giou", title: "Boxes, GIoU" },
];

function lossTerms(values: Record<string, unknown>): typeof TERMS {
  return TERMS.filter(({ term }) => term in values);
}

function losses(terms: typeof TERMS): Html {
  return html`<p class="soft">Terms of the loss before their weights, smoothed. Bold is the decoder's last layer, grey its earlier ones, orange the encoder's own proposals.</p>
<div class="grid three">${terms.map((term) => chart(term.chart, term.title, ""))}</div>`;
}

type Stage = { number: number; from: number; to: number; trains: string[]; factor: number };

/** The recipe's stages; none where their place on the axis is not known. */
function stagesOf({ train }: Record<string, unknown>, scale: number | undefined): Stage[] {
  const { stages, epochs } = (train ?? {}) as { stages?: unknown; epochs?: unknown };
  if (!Array.isArray(stages) || scale === undefined) return [];
  return stages.map((stage: { from_epoch: number; train: string[]; lr_factor?: number }, i) => ({
    ...{ number: i + 1, from: stage.from_epoch, trains: [stage.train].flat(), factor: stage.lr_factor ?? 1 },
    to:
      (stages[i + 1] as { from_epoch: number } | undefined)?.from_epoch ?? (typeof epochs === "number" ? epochs : 1e9),
  }));
}

function optimisation({ rows }: RunFolder, stages: readonly Stage[]): Html {
  const table = html`<div class="table"><table><caption>Stages of the training</caption>
<thead><tr><th scope="col">Stage</th><th scope="col">From epoch</th><th scope="col">Trains</th><th scope="col" class="number">Learning rates</th></tr></thead>
<tbody>${stages.map(
    ({ number, from, trains, factor }) =>
      html`<tr><th scope="row">${number}</th><td>${from}</td><td>${trains.join(", ")}</td><td class="number">× ${factor}</td></tr>`,
  )}</tbody></table></div>`;
  const has = (name: string) => rows.some((row) => name in row);
  return html`<p class="soft">What drives the training, and what it costs.</p>
<div class="grid">
${chart("learning-rate", "Learning rates", "The recipe's rates times schedule and stage; layers further down have lower ones.", { wide: true })}
</div>
${stages.length > 1 && table}
<div class="grid three" style="margin-top: 2rem">
${has("grad_norm") && chart("grad-norm", "Norm of the gradient", "Before clipping.")}
${has("images_per_second") && chart("speed", "Images a second", "")}
${has("data_wait") && chart("wait", "Waiting for images", "Share of each step.")}
</div>`;
}

function recipe({ recipe: values, recipeText, log }: RunFolder, defaults: Record<string, unknown> | undefined): Html {
  const different = defaults && recipeDifference(defaults, values).filter(({ b }) => b !== undefined);
  const table =
    different &&
    html`<div class="table"><table><caption>${different.length === 0 ? "Every key has its default." : "What this recipe sets; every other key has its default."}</caption>
<thead><tr><th scope="col">Key</th><th scope="col">Value</th><th scope="col">Default</th></tr></thead>
<tbody>${different.map(({ key, a, b }) => html`<tr><th scope="row"><code>${key}</code></th><td><code>${shownValue(b)}</code></td><td class="soft"><code>${shownValue(a)}</code></td></tr>`)}</tbody></table></div>`;
  return html`${log.facts.length > 0 && html`<p class="soft">What the recipe came to on this machine:</p><div class="table"><table><tbody>${log.facts.map(fact)}</tbody></table></div><br>`}
${table}
<details><summary>The whole recipe, defaults filled in</summary><pre tabindex="0">${recipeText}</pre></details>`;
}

/** "Weights: from scratch" as a row of two cells. */
function fact(text: string): Html {
  const [, name, value] = /^([A-Za-z][\w ]{0,30}): (.*)$/s.exec(text) ?? [];
  return name
    ? html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`
    : html`<tr><td colspan="2">${text}</td></tr>`;
}

function environment({ environment: found }: RunFolder): Html {
  if (!found) return html`<p class="soft">environment.json is not there or cannot be read.</p>`;
  const { git, cpu, dataset } = found;
  const rows: [string, string][] = [
    ["rfdetr-train", found.rfdetr_train],
    ["Node", found.node],
    ["TensorFlow.js", found.tfjs],
    ["libtensorflow", found.libtensorflow],
    ["Device", found.device],
    ["CPU", `${cpu?.model}, ${plural(cpu?.cores ?? 0, "core")}`],
    ["Memory", `${(found.memory_bytes / 1e9).toFixed(1)} GB`],
    ["Platform", found.platform],
    ["Git commit", git ? `${git.commit}${git.changed ? ", with changes" : ""}` : "no checkout"],
    ["Data set", dataset?.fingerprint],
    ["Started", moment(String(found.started))],
  ];
  return html`<div class="table"><table><tbody>${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}</tbody></table></div>`;
}

function repeat({ dir, environment: found, name }: RunFolder): Html {
  const commit = found?.git?.commit;
  const commands = [
    ...(commit && /^[0-9a-f]{7,64}$/.test(commit) ? [`git checkout ${commit}`] : []),
    `npx rfdetr-train --recipe ${shellWord(`${dir}/recipe.yaml`)} --run ${shellWord(`checkpoints/${name}-again`)}`,
    `npx rfdetr-train compare ${shellWord(dir)} ${shellWord(`checkpoints/${name}-again`)}`,
  ];
  return html`<p class="soft">The resolved recipe holds everything; with the same data and versions it repeats this run. On one CPU machine the result is the same to the byte; a GPU promises no such thing.${found?.git?.changed ? " The checkout had changes that its commit does not have." : ""}</p>
<pre tabindex="0">${commands.join("\n")}</pre>`;
}

const SHOWN_EVENTS = 60;

function events({ log }: RunFolder): Html {
  const shown = log.events.slice(-SHOWN_EVENTS);
  const left = log.events.length - shown.length;
  return html`${left > 0 && html`<p class="soft">The last ${SHOWN_EVENTS}; log.jsonl has all.</p>`}<ol class="events">${shown.map(
    ({ time, level, message }) =>
      html`<li><time datetime="${time}">${moment(time)}</time><span class="${level}">${message}</span></li>`,
  )}</ol>`;
}
