// The part of a run's page that tells what was exported of it, and how that was verified.

import type { FileRecord } from "../export/record.ts";
import { type Html, html } from "./html.ts";
import { plural, score } from "./text.ts";

/** What export.json tells of files. Other programs may have written it, so only what is there is taken. */
export function exportedFiles(value: { files?: unknown } | null): FileRecord[] {
  const isRecord = (one: unknown): one is FileRecord => {
    const { file, bytes } = (one ?? {}) as Partial<FileRecord>;
    return typeof file === "string" && typeof bytes === "number";
  };
  return Array.isArray(value?.files) ? value.files.filter(isRecord) : [];
}

export function exportSection(files: readonly FileRecord[]): Html {
  return html`<p class="soft">Files in export.json, beside the trainer's own forward on the same images.</p>
<div class="table"><table>
<thead><tr><th scope="col">File</th><th scope="col">Kind</th><th scope="col" class="number">Size</th><th scope="col" class="number">AP50:95</th><th scope="col" class="number">Trainer's</th><th scope="col" class="number">Boxes within</th><th scope="col" class="number">Forward, p50</th><th scope="col">Verified on</th></tr></thead>
<tbody>${files.map(row)}</tbody></table></div>`;
}

function row({ file, kind, bytes, opset, verified, latency_ms: latency }: FileRecord): Html {
  const ap = verified?.["AP50:95"];
  const within = verified?.difference?.boxes;
  return html`<tr><th scope="row">${file}</th><td>${kind}${opset && `, opset ${opset}`}</td><td class="number">${(bytes / 1e6).toFixed(1)} MB</td><td class="number">${score(ap?.file)}</td><td class="number">${score(ap?.trainer)}</td><td class="number">${typeof within === "number" ? within.toExponential(1) : "–"}</td><td class="number">${typeof latency?.p50 === "number" ? `${latency.p50.toFixed(1)} ms` : "–"}</td><td>${verified ? `${plural(verified.images, "image")}, ${verified.on}` : "not verified"}</td></tr>`;
}
