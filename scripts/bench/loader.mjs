// Images a second, and processor an image, of our loader beside the reference's own data module: JPEGs of 640 x 480 to 384, default augmentation; the
// two take turns on the same machine. Then how far the pixels of their validation splits are apart.
// Usage: npm run bench:loader -- [--python PATH] [--epochs 12] [--images 300] [--batch 4] [--workers 2] [--resolution 384]
// PATH (or RFDETR_PYTHON) is a Python that has rfdetr[train] 1.11.2; without one only our own loader is timed.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureBuilt } from "../build.mjs";
import { writePhotographs } from "./photographs.mjs";
import { here, machine, shown, spread, stepper, takeTurns } from "./stepper.mjs";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: process.env.RFDETR_PYTHON },
    epochs: { type: "string", default: "12" },
    images: { type: "string", default: "300" },
    batch: { type: "string", default: "4" },
    workers: { type: "string", default: "2" },
    resolution: { type: "string", default: "384" },
  },
});
const { python, batch, workers, resolution } = values;
await ensureBuilt();
const folder = mkdtempSync(join(tmpdir(), "bench-loader-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const bytes = await writePhotographs(folder, { train: Number(values.images), valid: 16 });

const args = [folder, batch, workers, resolution];
const loaders = { ours: stepper(process.execPath, [here("loader-ours.mjs"), ...args]) };
if (python) loaders.reference = stepper(python, [here("loader-reference.py"), ...args]);
for (const [name, one] of Object.entries(loaders)) await one.step(`pixels ${join(folder, name)}`);
const apart = python && difference(join(folder, "ours"), join(folder, "reference"));
const results = await takeTurns(loaders, { warmUp: 1, rounds: Number(values.epochs) });

console.log(
  `${values.images} JPEGs of 640 x 480 (${Math.round(bytes / 1000)} kB each) to ${resolution}, default augmentation, batch ${batch}, ${workers} workers, medians of ${values.epochs} epochs after 1 of warm-up`,
);
console.log(machine());
const rates = {};
for (const [name, list] of Object.entries(results)) {
  const rate = spread(list.map(({ images, milliseconds }) => (1000 * images) / milliseconds));
  const processor = spread(list.map(({ images, processor }) => processor / images));
  rates[name] = rate.median;
  console.log(`${name.padEnd(9)}  ${shown(rate, 1)} images/s, ${shown(processor, 2)} ms of processor an image`);
}
if (python) {
  console.log(`ratio      ${(rates.ours / rates.reference).toFixed(2)} times the images/s`);
  console.log(`pixels     mean difference ${apart.mean.toFixed(4)} / 255, largest ${apart.largest.toFixed(2)} / 255`);
} else console.log("The reference was not timed: give --python PATH or RFDETR_PYTHON.");

/** Mean and largest difference of normalised pixels on the scale 0..255; ours have channels last, the reference's first. */
function difference(ours, reference) {
  const [a, b] = [ours, reference].map((path) => new Float32Array(new Uint8Array(readFileSync(path)).buffer));
  if (a.length !== b.length) throw new Error(`ours has ${a.length} values, the reference ${b.length}`);
  const area = Number(resolution) ** 2;
  const scale = [0.229, 0.224, 0.225].map((std) => 255 * std);
  let [sum, largest] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const [image, at, c] = [Math.floor(i / (3 * area)), Math.floor((i % (3 * area)) / 3), i % 3];
    const apart = Math.abs(a[i] - b[(3 * image + c) * area + at]) * scale[c];
    sum += apart;
    largest = Math.max(largest, apart);
  }
  return { mean: sum / a.length, largest };
}
