// Our ONNX export beside the reference's own of the same weights: size, time to make, what they find, and how long they
// take; the two take turns in one process, on one thread unless told otherwise.
// Usage: npm run bench:onnx -- --python PATH [--weights W] [--rounds 60] [--threads 1] [--optimize] [--precision int8]
//   [--variant nano] [--keep FOLDER]
// PATH (or RFDETR_TRAIN_PYTHON) is a Python that has rfdetr[onnx] 1.11.2. Without weights, those of the variant are drawn at random.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { toFields } from "../../src/architecture/fields.ts";
import { VARIANTS } from "../../src/architecture/variants.ts";
import { benchmark } from "../../src/bench/benchmark.ts";
import { convertWeights } from "../../src/checkpoint/convert.ts";
import { writeWeightsFile } from "../../src/checkpoint/weightsFile.ts";
import { benchmarkTable } from "../../src/cli/terminal/benchmarkTable.ts";
import { decodeFile } from "../../src/data/image/decode.ts";
import { findImages } from "../../src/data/image/imagePaths.ts";
import { resizeForPrediction } from "../../src/data/image/resize.ts";
import { openOnnxDetector } from "../../src/detector/onnx.ts";
import { exportOnnx } from "../../src/export/exportOnnx.ts";
import { weightsOf } from "../../tests/parity/fixtures.ts";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: process.env.RFDETR_TRAIN_PYTHON },
    weights: { type: "string" },
    variant: { type: "string", default: "nano" },
    rounds: { type: "string", default: "60" },
    threads: { type: "string", default: "1" },
    optimize: { type: "boolean", default: false },
    precision: { type: "string" },
    keep: { type: "string" },
  },
});
if (!values.python) {
  console.error("The reference has to export, too: give --python PATH or RFDETR_TRAIN_PYTHON.");
  process.exit(2);
}
const scripts = dirname(fileURLToPath(import.meta.url));
const pictures = join(scripts, "../../datasets/trees");
const folder = values.keep ?? mkdtempSync(join(tmpdir(), "bench-onnx-"));
mkdirSync(folder, { recursive: true });
if (!values.keep) process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const weights = values.weights ?? (await randomWeights());
const ours = await exportOurs(weights);
const reference = await exportReference(weights);
for (const [name, { path, seconds }] of Object.entries({ reference, ...ours }))
  console.log(
    `${name.padEnd(10)} ${statSync(path).size.toLocaleString("en")} bytes, exported in ${seconds.toFixed(1)} s`,
  );

for (const [name, { path }] of Object.entries(ours)) {
  console.log(`\n${name}: ${await compared(reference.path, path, name)}`);
  const result = await benchmark({
    weights: reference.path,
    against: path,
    threads: [Number(values.threads)],
    prefetch: [false],
    rounds: Number(values.rounds),
  });
  console.log(benchmarkTable(result));
}

/** Drawn so that every branch of the network matters; the reference's own starting weights are alike in many places. */
async function randomWeights() {
  const path = join(folder, "weights.safetensors");
  const architecture = VARIANTS[values.variant];
  if (!architecture) throw new Error(`--variant ${values.variant} is none of ${Object.keys(VARIANTS).join(", ")}`);
  await writeWeightsFile(path, weightsOf(architecture, 7), { modelConfig: toFields(architecture) });
  return path;
}

/** Files by kind: the plain one and what else was asked for. */
async function exportOurs(from) {
  const out = join(folder, "model.onnx");
  const { optimize, precision } = values;
  const { files, seconds } = await exportOnnx({ weights: from, out, optimize, precision });
  return Object.fromEntries(files.map(({ file, kind }) => [kind, { path: join(folder, file), seconds }]));
}

async function exportReference(from) {
  const [pth, into] = [join(folder, "model.pth"), join(folder, "reference")];
  await convertWeights(from, pth, { force: true });
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into);
  const words = [join(scripts, "onnx-reference.py"), pth, into];
  const { status, stdout, stderr } = spawnSync(values.python, words, { encoding: "utf8", maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`The reference's export failed:\n${stderr}`);
  const [seconds, path] = stdout.trim().split("\n").slice(-2);
  return { path, seconds: Number(seconds) };
}

/** The largest differences of boxes, logits and masks on the pictures, slot by slot. */
async function compared(a, b, kind) {
  if (kind === "int8" || kind === "fp16") return "its proposals come in another order, so slots are not compared";
  const { paths } = await findImages([join(pictures, "valid")]);
  const detectors = await Promise.all([a, b].map((path) => openOnnxDetector(path, { threads: 1 })));
  const most = { boxes: 0, logits: 0, masks: 0 };
  for (const path of paths) {
    const image = await decodeFile(path);
    const { resolution } = detectors[0];
    const pixels = resizeForPrediction(image, resolution, resolution);
    const outputs = [];
    for (const detector of detectors)
      outputs.push((await detector.forward(pixels, [[image.height, image.width]]))[0].outputs);
    for (const [name, output] of [
      ["boxes", "dets"],
      ["logits", "labels"],
      ["masks", "masks"],
    ])
      for (const [i, value] of outputs[0][output]?.data.entries() ?? [])
        most[name] = Math.max(most[name], Math.abs(value - outputs[1][output].data[i]));
  }
  for (const detector of detectors) await detector.close();
  const [boxes, logits, masks] = Object.values(most).map((value) => value.toExponential(1));
  return `boxes differ by at most ${boxes}, logits by ${logits}, masks by ${masks}`;
}
