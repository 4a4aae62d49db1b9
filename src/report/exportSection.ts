// The part of a run's page that shows what was exported of it, and how that was verified.

import { MAIN_METRIC } from "../instance/metrics.ts";
import type { FileRecord } from "../run/records/exported.ts";
import { type Html, html } from "./page/html.ts";
import { cell, heading, htmlTable, numberCell } from "./page/table.ts";
import { plural, score } from "./text.ts";

export function exportSection(files: readonly FileRecord[]): Html {
  return html`<p class="soft">Files in export.json, beside the trainer's own forward on the same images.</p>
${htmlTable({
  columns: [
    ...["File", "Kind"],
    ...["Size", MAIN_METRIC, "Trainer's", "Boxes within", "Forward, p50"].map((number) => ({ number })),
    "Verified on",
  ],
  rows: files.map(cells),
})}`;
}

function cells({ file, kind, bytes, opset, verified, latency_ms: latency }: FileRecord): Html[] {
  const ap = verified?.[MAIN_METRIC];
  const within = verified?.difference?.boxes;
  return [
    heading(file),
    cell([kind, opset && `, opset ${opset}`]),
    numberCell(`${(bytes / 1e6).toFixed(1)} MB`),
    numberCell(score(ap?.file)),
    numberCell(score(ap?.trainer)),
    numberCell(typeof within === "number" ? within.toExponential(1) : "–"),
    numberCell(typeof latency?.p50 === "number" ? `${latency.p50.toFixed(1)} ms` : "–"),
    cell(verified ? `${plural(verified.images, "image")}, ${verified.on}` : "not verified"),
  ];
}
