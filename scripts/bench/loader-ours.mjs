// Times epochs of our loader, as users have it, for loader.mjs: a line on standard input asks for one epoch, or with `pixels PATH` for the images
// of the validation split in a file, float32 `[images, height, width, 3]`; the answer is one line of JSON. Its last argument is `data.augment`
// as JSON.

import { openSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { loadDataset } from "../../dist/data/dataset/dataset.js";
import { evaluationLoader } from "../../dist/loading/batch/evaluationLoader.js";
import { createLoader } from "../../dist/loading/batch/loader.js";

const [dir, batch, workers, resolution, recipe] = process.argv.slice(2);
const { splits } = await loadDataset({ dir });
const common = { batchSize: Number(batch), workers: Number(workers), resolution: Number(resolution) };
const augment = recipe ? JSON.parse(recipe) : { horizontal_flip: 0.5, scale_jitter: true };
const loader = createLoader({ ...common, split: splits.train, seed: 0, augment, training: true });

async function pixels(path) {
  const file = openSync(path, "w");
  const all = evaluationLoader(splits.val, common);
  for await (const { images } of all.epoch(0)) writeSync(file, images);
  await all.close();
  return {};
}

let epoch = 0;
async function timed() {
  const [used, started] = [process.cpuUsage(), performance.now()];
  let images = 0;
  for await (const batch of loader.epoch(epoch++)) {
    images += batch.shape[0];
    loader.recycle([batch]); // as training does
  }
  const { user, system } = process.cpuUsage(used);
  return { images, milliseconds: performance.now() - started, processor: (user + system) / 1000 };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = line.startsWith("pixels ") ? await pixels(line.slice("pixels ".length)) : await timed();
  console.log(JSON.stringify(answer));
}
await loader.close();
