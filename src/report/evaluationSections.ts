// The parts of a run's page that show what lies behind an evaluation: classes, confusion, thresholds, pictures.

import { type ClassMetrics, classMetrics, MASK_METRIC, measuredSummary } from "../instance/metrics.ts";
import { describeExpected, describeRule } from "../instance/operating/point.ts";
import type { PictureBrowser } from "../run/records/browser.ts";
import type { EvaluationRecord, RecordedPicture } from "../run/records/evaluation.ts";
import type { Pictures, RunContents } from "../run/runFolder.ts";
import { browserSection } from "./errors/browserSection.ts";
import { errorSection } from "./errors/errorSection.ts";
import { mostConfused } from "./mostConfused.ts";
import { type Html, html, raw } from "./page/html.ts";
import { chart, type Section } from "./page/page.ts";
import { heading, htmlTable, numberCell } from "./page/table.ts";
import { plural, score } from "./text.ts";

const MOST_ROWS = 400;

/** Sections for the page, in order. `perClass` is sorted, best first. */
export function evaluationSections({
  run,
  evaluation,
  perClass,
  pictures,
  browser,
}: {
  run: RunContents;
  evaluation: EvaluationRecord;
  perClass: EvaluationRecord["perClass"];
  pictures: Pictures;
  browser: PictureBrowser | null;
}): Section[] {
  const shown = evaluation.pictures.filter(({ file }) => pictures.has(file));
  return [
    { id: "classes", name: "Classes", content: classes(run, evaluation, perClass) },
    { id: "confusion", name: "Confusion and thresholds", content: confusion(evaluation) },
    ...(evaluation.errors ? [{ id: "errors", name: "Errors", content: errorSection(evaluation.errors) }] : []),
    ...(browser && browser.pictures.length > 0
      ? [{ id: "browse", name: "Hits and misses", content: browserSection(browser, evaluation) }]
      : []),
    ...(shown.length > 0 ? [{ id: "pictures", name: "Pictures", content: gallery(evaluation, shown, pictures) }] : []),
  ];
}

function whichOne({ step, epoch }: EvaluationRecord, { best }: RunContents): string {
  return `${best?.step === step ? "the best evaluation" : "the last evaluation"}, after epoch ${epoch + 1}`;
}

function classes(run: RunContents, evaluation: EvaluationRecord, perClass: EvaluationRecord["perClass"]): Html {
  const names = classMetrics(measuredSummary(perClass));
  const measured = perClass.some((row) => typeof row[names.main] === "number");
  const evaluations = run.rows.filter(({ split }) => split === "val").length;
  const rest = perClass.length - MOST_ROWS;
  return html`<p class="soft">From here to the pictures: ${whichOne(evaluation, run)}, on ${plural(evaluation.images, "image")}.</p>
${!measured && html`<p>No class has an object in the validation images.</p>`}
${measured && perClass.length > 1 && classCharts(perClass.length, { evaluations, names })}
<details${perClass.length <= 12 ? raw(" open") : ""}><summary>Table of classes</summary>
${classTable(perClass.slice(0, MOST_ROWS))}
${rest > 0 && html`<p class="soft">${rest} more classes are in evaluation.json.</p>`}
</details>`;
}

function classCharts(
  classes: number,
  { evaluations, names: { main, lenient } }: { evaluations: number; names: ClassMetrics },
): Html {
  const note = classes > 8 ? "The fuller the colour, the better." : "";
  return html`<div class="grid">
${chart("per-class", { title: "Average precision by class", note: `Bar: ${main}. Dot: ${lenient}.` })}
${evaluations > 1 && chart("class-curves", { title: `${main} by class over the run`, note })}
</div>`;
}

function classTable(perClass: EvaluationRecord["perClass"]): Html {
  const summary = measuredSummary(perClass);
  return htmlTable({
    columns: ["Class", ...[...summary, "Objects"].map((number) => ({ number }))],
    rows: perClass.map((row) => [
      heading(row.name),
      ...summary.map((name) => numberCell(score(row[name]))),
      numberCell(row.annotations.toLocaleString("en")),
    ]),
  });
}

/** Whether masks were measured: objects are then found by them. */
function hasMasks({ metrics }: EvaluationRecord): boolean {
  return typeof metrics?.[MASK_METRIC] === "number";
}

function confusion(evaluation: EvaluationRecord): Html {
  const { threshold, f1, precisionRecall, confusion: matrix } = evaluation;
  const masks = hasMasks(evaluation);
  const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
  const objects = sum(matrix.counts.slice(0, -1).flat());
  const found = sum(matrix.classes.map((_, i) => matrix.counts[i]![i]!));
  const wrong = sum(matrix.counts.at(-1)!);
  const why = f1.f1 > 0 ? ", where F1 is best" : "";
  const outcome = `${found.toLocaleString("en")} of ${plural(objects, "object")} found (IoU ${masks ? "of masks " : ""}0.5)`;
  return html`<p class="soft">Detections with a confidence of at least ${threshold.toFixed(2)}${why}:
${outcome}, ${plural(wrong, "detection")} where there is nothing.</p>
${promise(evaluation)}
${confusionCharts(matrix.classes.length, mostConfused(matrix).classes.length, { curves: precisionRecall.mean !== null, masks })}`;
}

/** From which scores detections count where the weights are used, and what to expect. */
function promise({ operatingPoint: point }: EvaluationRecord): Html | null {
  if (!point) return null;
  const own = point.classes.flatMap(({ name, threshold }) => (threshold === null || threshold === point.threshold ? [] : [`${name} ${threshold.toFixed(2)}`])); // biome-ignore format: one line
  const some = own.length > 12 ? [...own.slice(0, 12), `${own.length - 12} more`] : own;
  const few = point.classes.filter(({ threshold }) => threshold === null).length;
  const shared = own.length > 0 && few > 0 ? ` ${plural(few, "class", "classes")} with too few boxes share it.` : "";
  return html`<p class="soft">Where these weights are used, detections count from a confidence of ${point.threshold.toFixed(2)}, ${describeRule(point)}${some.length > 0 && `; of their own: ${some.join(", ")}`}.${shared}
Expected of as many other images: ${describeExpected(point)} (95 % intervals).</p>`;
}

function confusionCharts(classes: number, shown: number, { curves, masks }: { curves: boolean; masks: boolean }): Html {
  const part = shown < classes ? ` The ${shown} classes with the most mistakes, of ${classes}.` : "";
  const matrix = {
    ...{ title: "Confusion matrix", note: `Rows: what there was. Columns: what it was taken for.${part}` },
    wide: classes > 9,
  };
  const precision = {
    title: "Precision by recall",
    note: `From all detections, whatever their confidence${masks ? "; by boxes" : ""}.`,
  };
  const f1 = {
    title: "F1, precision, recall by confidence",
    note: `Means over the classes at IoU ${masks ? "of masks " : ""}0.5.`,
  };
  return html`<div class="grid ${classes <= 3 ? "three" : classes <= 9 ? "matrix" : ""}">
${chart("confusion", matrix)}
${curves && chart("precision-recall", precision)}
${curves && chart("f1", f1)}
</div>`;
}

function gallery(evaluation: EvaluationRecord, shown: readonly RecordedPicture[], pictures: Pictures): Html {
  const ofKind = (kind: RecordedPicture["kind"], title: string) => {
    const some = shown.filter((picture) => picture.kind === kind);
    if (some.length === 0) return null;
    const figures = some.map((picture) => figure(picture, pictures.get(picture.file)!));
    return html`<h3>${title}</h3>
<div class="pictures">${figures}</div>`;
  };
  return html`<p class="soft">Labels on the left, predictions with a confidence of at least ${evaluation.threshold.toFixed(2)} on the right.
Images are ranked by how many objects were found and how exactly${hasMasks(evaluation) && ", by their masks"}. Choose a picture to enlarge it.</p>
${ofKind("worst", "Worst images")}
${ofKind("best", "Best images")}`;
}

function figure({ image, found, missed, wrong, width, height }: RecordedPicture, data: Uint8Array): Html {
  const text = `${image}: ${found} of ${found + missed} found${wrong > 0 ? `, ${wrong} wrong` : ""}`;
  const source = `data:image/jpeg;base64,${Buffer.from(data).toString("base64")}`;
  const picture = html`<img src="${source}" width="${width}" height="${height}" alt="Labels and predictions of ${text}">`;
  return html`<figure>
<button type="button" aria-expanded="false" aria-label="Enlarge ${image}">${picture}</button>
<figcaption>${text}</figcaption>
</figure>`;
}
