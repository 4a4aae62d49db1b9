// The part of a run's page that shows what was exported of it, and how that was verified.

import { MAIN_METRIC, MASK_METRIC } from "../instance/metrics.ts";
import type { FileRecord } from "../run/records/exported.ts";
import { type Html, html } from "./page/html.ts";
import { cell, heading, htmlTable, numberCell } from "./page/table.ts";
import { plural, score } from "./text.ts";

export function exportSection(files: readonly FileRecord[]): Html {
  const metrics = [MAIN_METRIC, MASK_METRIC].filter(
    (name, i) => i === 0 || files.some(({ verified }) => verified?.[name]),
  );
  return html`<p class="soft">Files in export.json, beside the trainer's own forward on the same images.</p>
${htmlTable({
  columns: [
    ...["File", "Kind"],
    ...["Size", ...metrics.flatMap((name) => [name, "Trainer's"]), "Boxes within", "Forward, p50"].map((number) => ({
      number,
    })),
    "Verified on",
  ],
  rows: files.map((file) => cells(file, metrics)),
})}`;
}

function cells(
  { file, kind, bytes, opset, verified, latency_ms: latency }: FileRecord,
  metrics: readonly (typeof MAIN_METRIC | typeof MASK_METRIC)[],
): Html[] {
  const within = verified?.difference?.boxes;
  return [
    heading(file),
    cell([kind, opset && `, opset ${opset}`]),
    numberCell(`${(bytes / 1e6).toFixed(1)} MB`),
    ...metrics
      .flatMap((name) => [verified?.[name]?.file, verified?.[name]?.trainer])
      .map((ap) => numberCell(score(ap))),
    numberCell(typeof within === "number" ? within.toExponential(1) : "–"),
    numberCell(typeof latency?.p50 === "number" ? `${latency.p50.toFixed(1)} ms` : "–"),
    cell(verified ? `${plural(verified.images, "image")}, ${verified.on}` : "not verified"),
  ];
}
