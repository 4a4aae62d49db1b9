// Makes docs/results.png, or with "nuclei" docs/masks.png: labels (above) and what a run's best weights find (below) on three
// tiles that are held out.
// Usage: npm run build && node scripts/make-results-picture.mjs RUN [THRESHOLD] [trees | nuclei]

import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { decodeFile } from "../dist/data/image/decode.js";
import { drawObjects } from "../dist/data/image/draw.js";
import { predict } from "../dist/index.js";
import { maskRuns } from "../dist/instance/masks/maskRuns.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [run, threshold = "0.3", set = "trees"] = process.argv.slice(2);
if (!run) throw new Error("Usage: node scripts/make-results-picture.mjs RUN [THRESHOLD] [trees | nuclei]");
const folder = join(root, "datasets", set, set === "trees" ? "test" : "valid");
const { images, annotations } = JSON.parse(readFileSync(join(folder, "_annotations.coco.json"), "utf8"));
const chosen = images.filter((_, i) => i % 3 === 0);

const tiles = [];
const add = async (file, objects, column, row) => {
  const picture = await drawObjects(await decodeFile(file, { within: folder }), objects);
  const { data, width, height } = picture;
  const tile = sharp(data, { raw: { width, height, channels: 3 } }).resize(380, 380);
  tiles.push({ input: await tile.png().toBuffer(), left: column * 390, top: row * 390 });
};
for (const [column, { id, file_name, width, height }] of chosen.entries()) {
  const size = [height, width];
  const labels = annotations.filter(({ image_id }) => image_id === id);
  const objects = labels.map(({ bbox: [x, y, w, h], segmentation }) => {
    const mask = segmentation && (Array.isArray(segmentation) ? { polygons: segmentation } : segmentation);
    return { box: [x, y, x + w, y + h], label: 1, text: "", mask: mask && maskRuns(mask, { size, where: file_name }) };
  });
  await add(join(folder, file_name), objects, column, 0);
}
const files = chosen.map(({ file_name }) => join(folder, file_name));
const options = { weights: run, images: files, threshold: Number(threshold) };
for await (const { file, objects, error } of predict(options)) {
  if (error) throw error;
  const drawn = objects.map(({ box, mask }) => {
    return { box, label: 1, text: "", mask: mask && maskRuns(mask, { size: mask.size, where: file }) };
  });
  await add(file, drawn, files.indexOf(file), 1);
}
mkdirSync(join(root, "docs"), { recursive: true });
await sharp({ create: { width: 1160, height: 770, channels: 3, background: "white" } })
  .composite(tiles)
  .png({ palette: true, colours: 64, compressionLevel: 9 })
  .toFile(join(root, "docs", set === "trees" ? "results.png" : "masks.png"));
