// The parts of a run's page that tell what lies behind an evaluation: classes, confusion, thresholds, pictures.

import type { Pictures, RunFolder } from "../run/runFolder.ts";
import type { EvaluationRecord, RecordedPicture } from "../train/record/evaluationRecord.ts";
import { type Html, html, raw } from "./html.ts";
import { chart } from "./page.ts";
import { plural, score } from "./text.ts";

const MOST_ROWS = 400;

/** Sections for the page, in order. `perClass` is sorted, best first. */
export function evaluationSections({
  run,
  evaluation,
  perClass,
  pictures,
}: {
  run: RunFolder;
  evaluation: EvaluationRecord;
  perClass: EvaluationRecord["perClass"];
  pictures: Pictures;
}): { id: string; name: string; content: Html }[] {
  const shown = evaluation.pictures.filter(({ file }) => pictures.has(file));
  return [
    { id: "classes", name: "Classes", content: classes(run, evaluation, perClass) },
    { id: "confusion", name: "Confusion and thresholds", content: confusion(evaluation) },
    ...(shown.length > 0 ? [{ id: "pictures", name: "Pictures", content: gallery(evaluation, shown, pictures) }] : []),
  ];
}

function whichOne({ step, epoch }: EvaluationRecord, { best }: RunFolder): string {
  return `${best?.step === step ? "the best evaluation" : "the last evaluation"}, after epoch ${epoch + 1}`;
}

function classes(run: RunFolder, evaluation: EvaluationRecord, perClass: EvaluationRecord["perClass"]): Html {
  const measured = perClass.some((row) => row["AP50:95"] !== null);
  const evaluations = run.rows.filter(({ split }) => split === "val").length;
  const rows = perClass
    .slice(0, MOST_ROWS)
    .map(
      (row) =>
        html`<tr><th scope="row">${row.name}</th>${[row["AP50:95"], row.AP50, row.AP75, row.AR].map((value) => html`<td class="number">${score(value)}</td>`)}<td class="number">${row.annotations.toLocaleString("en")}</td></tr>`,
    );
  return html`<p class="soft">From here to the pictures: ${whichOne(evaluation, run)}, on ${plural(evaluation.images, "image")}.</p>
${
  measured
    ? perClass.length > 1 &&
      html`<div class="grid">
${chart("per-class", "Average precision by class", "Bar: AP50:95. Dot: AP50.")}
${evaluations > 1 && chart("class-curves", "AP50:95 by class over the run", perClass.length > 8 ? "The fuller the colour, the better." : "")}
</div>`
    : html`<p>No class has an object in the validation images.</p>`
}
<details${perClass.length <= 12 ? raw(" open") : ""}><summary>Table of classes</summary>
<div class="table"><table>
<thead><tr><th scope="col">Class</th><th scope="col" class="number">AP50:95</th><th scope="col" class="number">AP50</th><th scope="col" class="number">AP75</th><th scope="col" class="number">AR</th><th scope="col" class="number">Objects</th></tr></thead>
<tbody>${rows}</tbody></table></div>
${perClass.length > MOST_ROWS && html`<p class="soft">${perClass.length - MOST_ROWS} more classes are in evaluation.json.</p>`}
</details>`;
}

function confusion({ threshold, f1, precisionRecall, confusion: matrix }: EvaluationRecord): Html {
  const objects = matrix.counts
    .slice(0, -1)
    .flat()
    .reduce((a, b) => a + b, 0);
  const found = matrix.classes.reduce((sum, _, i) => sum + matrix.counts[i]![i]!, 0);
  const classes = matrix.classes.length;
  const wrong = matrix.counts.at(-1)!.reduce((a, b) => a + b, 0);
  return html`<p class="soft">Detections with a confidence of at least ${threshold.toFixed(2)}${f1.f1 > 0 ? ", where F1 is best" : ""}: ${found.toLocaleString("en")} of ${plural(objects, "object")} found (IoU 0.5), ${plural(wrong, "detection")} where there is nothing.</p>
<div class="grid ${classes <= 3 ? "three" : classes <= 9 ? "matrix" : ""}">
${chart("confusion", "Confusion matrix", "Rows: what there was. Columns: what it was taken for.", { wide: classes > 9 })}
${precisionRecall.mean && chart("precision-recall", "Precision by recall", "From all detections, whatever their confidence.")}
${precisionRecall.mean && chart("f1", "F1, precision, recall by confidence", "Means over the classes at IoU 0.5.")}
</div>`;
}

function gallery({ threshold }: EvaluationRecord, shown: readonly RecordedPicture[], pictures: Pictures): Html {
  const kinds = [
    { kind: "worst", title: "Worst images" },
    { kind: "best", title: "Best images" },
  ] as const;
  return html`<p class="soft">Labels on the left, predictions with a confidence of at least ${threshold.toFixed(2)} on the right. Images are ranked by how many objects were found and how exactly. Choose a picture to enlarge it.</p>
${kinds.map(({ kind, title }) => {
  const some = shown.filter((picture) => picture.kind === kind);
  return (
    some.length > 0 &&
    html`<h3>${title}</h3><div class="pictures">${some.map((picture) => pair(picture, pictures.get(picture.file)!))}</div>`
  );
})}`;
}

function pair({ image, found, missed, wrong, width, height }: RecordedPicture, data: Uint8Array): Html {
  const text = `${image}: ${found} of ${found + missed} found${wrong > 0 ? `, ${wrong} wrong` : ""}`;
  const source = `data:image/jpeg;base64,${Buffer.from(data).toString("base64")}`;
  return html`<figure><button type="button" aria-expanded="false" aria-label="Enlarge ${image}"><img src="${source}" width="${width}" height="${height}" alt="Labels and predictions of ${text}"></button><figcaption>${text}</figcaption></figure>`;
}
