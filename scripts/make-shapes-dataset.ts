// Makes a data set of synthetic scenes in COCO's layout: shapes of eight classes with boxes and masks. The weights `mini-shapes`
// and `seg-mini-shapes` are trained on it.
// Usage: npx tsx scripts/make-shapes-dataset.ts [FOLDER [TRAIN VALID [SEED]]]       (datasets/shapes, 12000 and 300 scenes, 1)
// The same scenes wherever Math rounds alike; the same files with the same sharp.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { encodeRuns, packRuns } from "../src/instance/masks/runs.ts";
import { CLASSES } from "./shapes/outlines.ts";
import { drawScene, SIDE } from "./shapes/scene.ts";

const [
  folder = fileURLToPath(new URL("../datasets/shapes/", import.meta.url)),
  train = "12000",
  valid = "300",
  seed = "1",
] = process.argv.slice(2);
/** No scene is in two splits: each has a seed of its own. */
const SPLITS = {
  train: { seed: Number(seed), scenes: Number(train) },
  valid: { seed: Number(seed) + 1, scenes: Number(valid) },
};
const JPEG = { quality: 92, chromaSubsampling: "4:4:4" };

for (const [split, { seed, scenes }] of Object.entries(SPLITS)) await makeSplit(split, seed, scenes);

async function makeSplit(split: string, seed: number, scenes: number): Promise<void> {
  mkdirSync(join(folder, split), { recursive: true });
  const images: object[] = [];
  const annotations: object[] = [];
  for (let id = 0; id < scenes; id++) {
    const { pixels, objects } = drawScene(seed, id);
    const file = `${String(id).padStart(5, "0")}.jpg`;
    const raw = { width: SIDE, height: SIDE, channels: 3 as const };
    await sharp(pixels, { raw })
      .jpeg(JPEG)
      .toFile(join(folder, split, file));
    images.push({ id, file_name: file, width: SIDE, height: SIDE });
    for (const { label, box, mask } of objects) {
      const [left, top, right, bottom] = box;
      const area = mask.reduce((sum, there) => sum + there, 0);
      const segmentation = { size: [SIDE, SIDE], counts: packRuns(encodeRuns(mask, [SIDE, SIDE])) };
      const bbox = [left, top, right - left, bottom - top];
      annotations.push({
        id: annotations.length,
        image_id: id,
        category_id: label,
        bbox,
        area,
        segmentation,
        iscrowd: 0,
      });
    }
  }
  const categories = CLASSES.map((name, id) => ({ id, name }));
  writeFileSync(join(folder, split, "_annotations.coco.json"), JSON.stringify({ images, annotations, categories }));
  console.log(`${split}: ${images.length} scenes, ${annotations.length} objects`);
}
