// Writes the batches of a run, in its order, for another program to train on:
//   node --import tsx scripts/bench/parity-batches.ts RUN FOLDER
// RUN is the run's folder. FOLDER gets batches.f32, the images [batch, height, width, 3] of one batch after the other, normalised, and batches.jsonl,
// a line each: their shape, and of each image its boxes (normalised cxcywh, row-major) and labels. Ends after the run's last step. settings.json
// says how the run trains, by the reference's names.

import { createWriteStream, writeFileSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { toFields } from "../../src/architecture/fields.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { assemble, closeParts } from "../../src/train/parts.ts";

const [run, folder] = process.argv.slice(2) as [string, string];
const recipe = await loadRecipe(join(run, "recipe.yaml"));
const parts = await assemble(recipe, { overfit: null });
const images = createWriteStream(join(folder, "batches.f32"));
const lines = createWriteStream(join(folder, "batches.jsonl"));
const { size, learner } = parts;
const { encoder, dim_feedforward, segmentation_head: _, ...model } = toFields(learner.architecture);
const { lr, lr_encoder, lr_vit_layer_decay, lr_component_decay, weight_decay, clip_max_norm, schedule, ema } =
  recipe.train;
if (schedule.name !== "cosine" || ema === "none")
  throw new Error("only a cosine schedule with a moving average is written");
const settings = {
  model,
  ...{ encoder: typeof encoder === "object" ? encoder : null, dim_feedforward },
  train: {
    ...{ lr, lr_encoder, lr_vit_layer_decay, lr_component_decay, weight_decay, clip_max_norm },
    ...{ lr_scheduler: "cosine", lr_scheduler_kwargs: { min_factor: schedule.min_factor } },
    ...{ warmup_epochs: schedule.warmup_epochs, ema_decay: ema.decay, ema_tau: ema.tau },
  },
  ...{ steps: size.totalSteps, steps_per_epoch: size.stepsPerEpoch },
};
writeFileSync(join(folder, "settings.json"), JSON.stringify(settings));
let left = size.totalSteps;
for (let epoch = 0; left > 0; epoch++) {
  for await (const { images: pixels, shape, mask, targets } of parts.trainLoader.epoch(epoch, { fromBatch: 0 })) {
    if (mask) throw new Error("these batches are padded, which is not written");
    const bytes = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
    await new Promise((done) => images.write(bytes, done));
    const objects = targets.map(({ boxes, labels }) => ({ boxes: [...boxes], labels: [...labels] }));
    lines.write(`${JSON.stringify({ shape, targets: objects })}\n`);
    if (--left === 0) break;
  }
}
for (const stream of [images, lines]) await finished(stream.end());
await closeParts(parts);
