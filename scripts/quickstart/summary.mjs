// What the quickstart came to: AP before and after on tiles that nothing was chosen on, its curve, pictures, the exported file's time, and what to
// do next.

import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "../../setup/npm.mjs";

const DATA = join(root, "datasets", "trees");
const BAR = 40; // characters
const REACHED_WITHIN = 3000; // ms
const PUBLISHED = "rf-detr-nano";

/**
 * Print what came of the finished run in `folder`.
 * @param {string} folder
 */
export async function summarise(folder) {
  const { benchmark, evaluate, predictToFolder, readMetrics } = await import("../../dist/index.js");
  const shown = (path) => relative(process.cwd(), path) || ".";
  const rows = await readMetrics(join(folder, "metrics.jsonl"));
  const start = join(folder, "checkpoints", "0000-00000000");
  const before = existsSync(start) && (await evaluate({ weights: start, data: DATA, split: "test" })).metrics;
  const after = rows.findLast(({ split }) => split === "test");
  const pictures = join(folder, "pictures");
  await predictToFolder({ weights: folder, images: [join(DATA, "test")], out: pictures });

  console.log("\nAP50 on the validation tiles");
  for (const { epoch, AP50 } of rows.filter(({ split }) => split === "val"))
    console.log(
      `  epoch ${String(epoch + 1).padStart(2)}  ${"█".repeat(Math.round(AP50 * BAR)).padEnd(1)} ${AP50.toFixed(3)}`,
    );
  console.log("\nOn the test tiles, on which nothing was chosen");
  if (before) console.log(`  before  ${line(before)}`);
  if (after) console.log(`  after   ${line(after)}`);
  console.log(`\nPictures  ${shown(pictures)}`);
  const onnx = join(folder, "model.onnx");
  if (existsSync(onnx)) {
    const { timings } = await benchmark({ weights: onnx, data: DATA, split: "test", prefetch: [false], rounds: 50 });
    const { p50, p95 } = timings[0].total;
    console.log(
      `ONNX      ${shown(onnx)}: ${p50.toFixed(1)} ms from image file to detections, 95 % within ${p95.toFixed(1)} ms`,
    );
  }
  console.log(`Report    ${shown(join(folder, "report.html"))}`);
  console.log(await next());
}

function line(metrics) {
  return `AP50 ${metrics.AP50.toFixed(3)}   AP50:95 ${metrics["AP50:95"].toFixed(3)}`;
}

/** How to go on with data of one's own, from weights that have seen photographs where they can be had. */
async function next() {
  const known = JSON.parse(readFileSync(join(root, "checkpoints", "published.json"), "utf8"));
  const { url, bytes } = known.find(({ name }) => name === PUBLISHED);
  const reached = await canFetch(url);
  const size = bytes ? ` (${Math.round(bytes / 1e6)} MB, once)` : "";
  const start = reached
    ? `RF-DETR's published weights can be downloaded here${size}. They were trained on photographs: their makers give AP50:95 0.484
on COCO for nano, where the drawn shapes that this run began with taught it little. Start from them:`
    : `RF-DETR's published weights, which were trained on photographs and are a much better start, could not be reached from here.
Where they can be, start from them:`;
  return `
${start}
  npx rfdetr-train recipes nano > mine.yaml
  npx rfdetr-train check --recipe mine.yaml --set data.dir=FOLDER
  npx rfdetr-train --recipe mine.yaml --set data.dir=FOLDER
Without them, as this run did:
  npx rfdetr-train --recipe quickstart --set data.dir=FOLDER --run checkpoints/mine`;
}

/** Whether the file is there to be downloaded; asks for nothing but its headers. */
async function canFetch(url) {
  const { request } = await import("../../dist/util/network.js");
  const signal = AbortSignal.timeout(REACHED_WITHIN);
  return request(url, { method: "HEAD", signal }).then(
    ({ ok }) => ok,
    () => false,
  );
}
