// Photographs of datasets/trees as a COCO data set, in files of the size that such photographs have, for the benchmarks that read images.

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { here } from "./stepper.mjs";

/** Write JPEGs of 640 x 480 with eight boxes each, with `masks` oval ones; `splits`: how many of each, by name. Returns the mean bytes of the first split's. */
export async function writePhotographs(folder, splits, { classes = ["tree"], masks = false } = {}) {
  const source = here("../../datasets/trees/train/");
  const files = readdirSync(source).filter((file) => file.endsWith(".jpg"));
  const total = Object.fromEntries(Object.keys(splits).map((split) => [split, 0]));
  for (const [split, count] of Object.entries(splits)) {
    mkdirSync(join(folder, split));
    const images = [];
    for (let i = 0; i < count; i++) {
      const photo = await sharp(join(source, files[i % files.length]))
        .resize(640, 480, { fit: "cover" })
        .jpeg({ quality: 90 })
        .toBuffer();
      total[split] += photo.length;
      images.push({ id: i, file_name: `${i}.jpg`, width: 640, height: 480 });
      writeFileSync(join(folder, split, `${i}.jpg`), photo);
    }
    const annotations = images.flatMap(({ id }) =>
      Array.from({ length: 8 }, (_, k) => ({
        ...{ id: 8 * id + k, image_id: id, category_id: 1 + (k % classes.length), iscrowd: 0, area: 6000 },
        bbox: [60 * k, 40 * k, 100, 60],
        ...(masks && { segmentation: [oval([60 * k, 40 * k, 100, 60])] }),
      })),
    );
    const categories = classes.map((name, i) => ({ id: 1 + i, name, supercategory: "none" }));
    const coco = { images, annotations, categories };
    writeFileSync(join(folder, split, "_annotations.coco.json"), JSON.stringify(coco));
  }
  const [[first, count]] = Object.entries(splits);
  return total[first] / count;
}

/** A polygon of 24 corners in a box. */
function oval([x, y, width, height]) {
  return Array.from({ length: 24 }, (_, i) => (2 * Math.PI * i) / 24).flatMap((angle) => [
    x + (width / 2) * (1 + Math.cos(angle)),
    y + (height / 2) * (1 + Math.sin(angle)),
  ]);
}
