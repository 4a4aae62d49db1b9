// Whether a model with grown queries learns a crowd: one synthetic picture of 1,000 objects, overfitted by mini with 1,000 queries that come
// from the 64 of its weights. Prints the recall at IoU 0.5, at the threshold of the best F1.
// Usage: npm run bench:crowd -- [--objects 1000] [--epochs 100] [--weights mini-shapes]

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { machine } from "./stepper.mjs";
import { trained } from "./trained.mjs";

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "1000" },
    epochs: { type: "string", default: "100" },
    weights: { type: "string", default: "mini-shapes" },
  },
});
const count = Number(values.objects);
const CELL = 12; // pixels a side, with one object in it
const across = Math.ceil(Math.sqrt(count));
const side = Math.ceil((across * CELL) / 32) * 32;

/** A dot or a bar in each cell, of sizes, places and shades that follow from its number. */
function shape(i) {
  const of = (n, k) => (i * k) % n;
  const [width, height] = [6 + of(4, 3), 6 + of(4, 7)];
  const left = (i % across) * CELL + of(CELL - width + 1, 5);
  const top = Math.floor(i / across) * CELL + of(CELL - height + 1, 11);
  const colour = `rgb(${180 + of(70, 13)}, ${90 + of(120, 29)}, ${40 + of(60, 17)})`;
  const radius = i % 2 ? Math.min(width, height) / 2 : 0;
  return {
    bbox: [left, top, width, height],
    svg: `<rect x="${left}" y="${top}" width="${width}" height="${height}" rx="${radius}" fill="${colour}"/>`,
  };
}

const folder = mkdtempSync(join(tmpdir(), "crowd-"));
try {
  const shapes = Array.from({ length: count }, (_, i) => shape(i));
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}"><rect width="100%" height="100%" fill="#203040"/>${shapes.map(({ svg }) => svg).join("")}</svg>`;
  const annotations = shapes.map(({ bbox }, id) => ({ id, image_id: 1, category_id: 1, bbox, area: bbox[2] * bbox[3], iscrowd: 0 })); // biome-ignore format: one line
  const images = [{ id: 1, file_name: "crowd.png", width: side, height: side }];
  for (const split of ["train", "valid"]) {
    mkdirSync(join(folder, split));
    await sharp(Buffer.from(picture))
      .png()
      .toFile(join(folder, split, "crowd.png"));
    const content = { images, annotations, categories: [{ id: 1, name: "thing" }] };
    writeFileSync(join(folder, split, "_annotations.coco.json"), JSON.stringify(content));
  }
  const recipe = {
    ...{ name: "crowd", seed: 1, weights: values.weights },
    model: { variant: "mini", resolution: side, num_queries: count, num_select: count, group_detr: 1 },
    data: { dir: folder, batch_size: 1, augment: "none", allow_leaks: true },
    train: { epochs: Number(values.epochs), grad_accum_steps: 1, lr: 1e-3, lr_encoder: 1e-3, lr_vit_layer_decay: 1, lr_component_decay: 1, schedule: { name: "cosine", warmup_epochs: 1 } }, // biome-ignore format: one line
    ...{ eval: { every_epochs: 10 }, checkpoint: { every_epochs: 100 }, export: { onnx: false } },
  };
  writeFileSync(join(folder, "crowd.yaml"), JSON.stringify(recipe));
  const began = performance.now();
  const { rows } = trained(join(folder, "crowd.yaml"), {}, { shown: true });
  const { step, recall, precision, AP50 } = rows.findLast(({ split }) => split === "val");
  console.log(
    `${count} objects in ${side} x ${side} pixels, ${step} steps: recall ${recall.toFixed(3)}, precision ${precision.toFixed(3)}, ` +
      `AP50 ${AP50.toFixed(3)}; ${((performance.now() - began) / 1000).toFixed(0)} s, ${machine()}`,
  );
  process.exitCode = recall >= 0.95 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
