// What augmentations add to the time of our loader: JPEGs of 640 x 480 to 384, each of eight objects with a mask; the loaders take turns.
// Usage: npm run bench:augment -- [--epochs 12] [--images 200] [--batch 4] [--workers 2] [--resolution 384]

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureBuilt } from "../build.mjs";
import { writePhotographs } from "./photographs.mjs";
import { here, machine, shown, spread, stepper, takeTurns } from "./stepper.mjs";

const { values } = parseArgs({
  options: {
    epochs: { type: "string", default: "12" },
    images: { type: "string", default: "200" },
    batch: { type: "string", default: "4" },
    workers: { type: "string", default: "2" },
    resolution: { type: "string", default: "384" },
  },
});
const { batch, workers, resolution } = values;
await ensureBuilt();
const { PRESETS } = await import("../../dist/loading/augment/presets.js");
const folder = mkdtempSync(join(tmpdir(), "bench-augment-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
await writePhotographs(folder, { train: Number(values.images), valid: 4 }, { masks: true });

const several = [
  { name: "mosaic", p: 0.5, center_range: [0.3, 0.7] },
  { name: "copy_paste", p: 0.5, share: 0.5 },
];
const augmentations = {
  none: null,
  default: "default",
  aggressive: "aggressive",
  "mosaic, copy_paste": several,
  "all three": [...several, ...PRESETS.aggressive],
};
const loaders = Object.fromEntries(
  Object.entries(augmentations).map(([name, augment]) => {
    const args = [folder, batch, workers, resolution, JSON.stringify(augment)];
    return [name, stepper(process.execPath, [here("loader-ours.mjs"), ...args])];
  }),
);
const results = await takeTurns(loaders, { warmUp: 1, rounds: Number(values.epochs) });

console.log(
  `${values.images} JPEGs of 640 x 480 to ${resolution}, batch ${batch}, ${workers} workers, medians of ${values.epochs} epochs after 1 of warm-up`,
);
console.log(machine());
const plain = spread(results.none.map(timeOf)).median;
for (const [name, list] of Object.entries(results)) {
  const time = spread(list.map(timeOf));
  const processor = spread(list.map((one) => one.processor / one.images));
  const times = `${(time.median / plain).toFixed(2)} times`;
  console.log(`${name.padEnd(18)}  ${shown(time, 2)} ms an image, ${times}, ${shown(processor, 2)} ms of processor`);
}

function timeOf({ images, milliseconds }) {
  return milliseconds / images;
}
