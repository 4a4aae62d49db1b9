// Images a second, processor an image and peak memory of the evaluation of a split, from image files to metrics, beside the reference's own
// validation loop: RF-DETR nano with the same weights from scratch, JPEGs of 640 x 480 to 384; all take turns on the same machine.
// Usage: npm run bench:evaluate -- [--python PATH] [--turns 7] [--images 60] [--batch 4] [--workers 2] [--threads 2,1] [--modes recorded]
// PATH (or RFDETR_PYTHON) is a Python that has rfdetr[train] 1.11.2; without one only our own evaluation is timed. Modes: `recorded`, `eager`,
// and `bf16` (recorded); the reference's own trainer evaluates in float32 on a processor, whatever it is asked for.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureBuilt } from "../build.mjs";
import { writePhotographs } from "./photographs.mjs";
import { gigabytes, here, limited, machine, shown, spread, stepper, takeTurns } from "./stepper.mjs";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: process.env.RFDETR_PYTHON },
    turns: { type: "string", default: "7" },
    images: { type: "string", default: "60" },
    batch: { type: "string", default: "4" },
    workers: { type: "string", default: "2" },
    threads: { type: "string", default: "2,1" },
    modes: { type: "string", default: "recorded" },
  },
});
const { python, images, turns, batch, workers } = values;
const CLASSES = ["ash", "beech", "elm", "fir", "lime", "oak", "pine", "yew"];
await ensureBuilt();
const folder = mkdtempSync(join(tmpdir(), "bench-evaluate-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const weights = join(folder, "weights.pth");
await writePhotographs(folder, { valid: Number(images), train: 1 }, { classes: CLASSES });

const ours = (mode) => [here("evaluate-ours.mjs"), folder, weights, batch, workers, mode];
const { status } = spawnSync(process.execPath, ours("weights"), { stdio: "inherit" });
if (status !== 0) throw new Error("the weights were not written");

console.log(
  `RF-DETR nano at 384, evaluation of ${images} JPEGs of 640 x 480, batch ${batch}, ${workers} workers, medians of ${turns} turns after 1 of warm-up`,
);
console.log(machine());
for (const threads of values.threads.split(",")) {
  const env = limited(threads);
  const all = values.modes.split(",").map((mode) => [mode, stepper(process.execPath, ours(mode), env)]);
  if (python) {
    const args = [here("evaluate-reference.py"), folder, weights, batch, workers];
    all.push(["reference", stepper(python, args, env)]);
  }
  const results = await takeTurns(Object.fromEntries(all), { warmUp: 1, rounds: Number(turns) });
  console.log(`\nthreads: ${threads}`);
  for (const [name, list] of Object.entries(results)) {
    const rate = spread(list.map((one) => (1000 * one.images) / one.milliseconds));
    const processor = spread(list.map((one) => one.processor / one.images));
    const peak = Math.max(...list.map((one) => one.peak));
    console.log(
      `${name.padEnd(9)}  ${shown(rate, 2)} images/s, ${shown(processor, 0)} ms of processor an image, peak ${gigabytes(peak)}${growth(list)}`,
    );
  }
  if (!python) continue;
  for (const [name, list] of Object.entries(results)) {
    if (list === results.reference) continue;
    const ratio = (of) => spread(list.map((one, i) => of(results.reference[i]) / of(one)));
    const [wall, processor] = [ratio(({ milliseconds }) => milliseconds), ratio((one) => one.processor)];
    const peak = Math.max(...list.map((one) => one.peak)) / Math.max(...results.reference.map((one) => one.peak));
    console.log(
      `${name.padEnd(9)}  ${shown(wall, 2)} times the reference's images/s, turn by turn; ${(1 / processor.median).toFixed(2)} of its processor, ${peak.toFixed(2)} of its peak`,
    );
  }
}
if (!python) console.log("\nThe reference was not timed: give --python PATH or RFDETR_PYTHON.");

/** What our own process holds more after the last turn than after the first that counts. */
function growth(list) {
  const [first, last] = [list[0], list.at(-1)];
  if (first.tensors === undefined) return "";
  const megabytes = (last.resident - first.resident) / 1e6;
  return `; after the last turn ${last.tensors - first.tensors} tensors and ${megabytes.toFixed(0)} MB more than after the first`;
}
