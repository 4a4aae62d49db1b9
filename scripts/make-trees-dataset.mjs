// Makes datasets/trees: tiles of the annotated aerial photographs that the PyPI package deepforest 2.1.0 carries.
// Usage: node scripts/make-trees-dataset.mjs [path of the wheel]      (needs python3 with pip, and the network without a path)
// The same wheel and the same sharp give the same bytes.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

const WHEEL_SHA256 = "8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54";
const OUT = fileURLToPath(new URL("../datasets/trees/", import.meta.url));
const TILE = 400;
const STRIDE = 240; // of training tiles, at most; held-out tiles overlap only as much as it takes to cover their region
const MIN_INSIDE = 0.4; // a crown is kept where this part of its box lies in the tile
const MIN_SIDE = 6; // pixels
const JPEG = { quality: 80, mozjpeg: true, progressive: false };

// Regions are [left, top, right, bottom] in pixels of the photograph; no pixel is in two splits.
const A = "2019_YELL_2_528000_4978000_image_crop2";
const B = "2019_YELL_2_541000_4977000_image_crop";
const SPLITS = ["train", "valid", "test"];
const REGIONS = [
  { image: A, name: "yell-a", split: "train", region: [0, 0, 2299, 1672] },
  { image: A, name: "yell-a", split: "test", region: [0, 1672, 2299, 2072] },
  { image: A, name: "yell-a", split: "valid", region: [0, 2072, 2299, 2472] },
  { image: B, name: "yell-b", split: "train", region: [0, 0, 849, 635] },
  { image: B, name: "yell-b", split: "test", region: [0, 635, 849, 1035] },
  { image: B, name: "yell-b", split: "valid", region: [849, 0, 1249, 1035] },
  { image: "OSBS_029", name: "osbs", split: "train", region: [0, 0, 400, 400] },
  { image: "SOAP_061", name: "soap", split: "train", region: [0, 0, 400, 400] },
];

const work = mkdtempSync(join(tmpdir(), "trees-"));
try {
  const data = unpack(process.argv[2] ?? download());
  for (const split of SPLITS) rmSync(join(OUT, split), { recursive: true, force: true });
  for (const split of SPLITS) await makeSplit(split, data);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function download() {
  const command = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", work, "deepforest==2.1.0"];
  execFileSync("python3", command, { stdio: "inherit" });
  return join(
    work,
    readdirSync(work).find((name) => name.endsWith(".whl")),
  );
}

function unpack(wheel) {
  const found = createHash("sha256").update(readFileSync(wheel)).digest("hex");
  if (found !== WHEEL_SHA256)
    throw new Error(`${wheel} is not the expected file: SHA-256 ${found}, not ${WHEEL_SHA256}`);
  execFileSync("python3", ["-m", "zipfile", "-e", wheel, join(work, "wheel")]);
  return join(work, "wheel", "deepforest", "data");
}

async function makeSplit(split, data) {
  const folder = join(OUT, split);
  mkdirSync(folder, { recursive: true });
  const coco = {
    info: { description: "Tree crowns in aerial photographs (see ../README.md)", version: "1" },
    licenses: [{ id: 1, name: "MIT (annotations); CC0 1.0 (NEON imagery)" }],
    categories: [{ id: 1, name: "tree", supercategory: "none" }],
    images: [],
    annotations: [],
  };
  for (const { image, name, region } of REGIONS.filter((r) => r.split === split)) {
    const boxes = readBoxes(join(data, `${image}.xml`));
    for (const [left, top] of corners(region, split === "train" ? STRIDE : TILE)) {
      const file_name = `${name}-${String(left).padStart(4, "0")}-${String(top).padStart(4, "0")}.jpg`;
      const tile = { left, top, width: TILE, height: TILE };
      await sharp(join(data, `${image}.png`))
        .removeAlpha()
        .extract(tile)
        .jpeg(JPEG)
        .toFile(join(folder, file_name));
      const image_id = coco.images.length + 1;
      coco.images.push({ id: image_id, license: 1, file_name, width: TILE, height: TILE });
      for (const bbox of boxes.flatMap((box) => clip(box, left, top))) {
        const id = coco.annotations.length + 1;
        coco.annotations.push({ id, image_id, category_id: 1, bbox, area: bbox[2] * bbox[3], iscrowd: 0 });
      }
    }
  }
  writeFileSync(join(folder, "_annotations.coco.json"), `${format(coco)}\n`);
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const most = Math.max(...coco.images.map(({ id }) => coco.annotations.filter((a) => a.image_id === id).length));
  const counts = `${coco.images.length} tiles, ${coco.annotations.length} boxes, at most ${most} in a tile`;
  console.log(`${split}: ${counts}, ${(bytes / 1e6).toFixed(2)} MB`);
}

/** Corners of tiles spread evenly over a region, at most `stride` apart, never outside of it. */
function corners([left, top, right, bottom], stride) {
  const along = (from, to) => {
    const steps = Math.ceil((to - from - TILE) / stride);
    return Array.from(
      { length: steps + 1 },
      (_, i) => from + (steps ? Math.round((i * (to - from - TILE)) / steps) : 0),
    );
  };
  return along(top, bottom).flatMap((y) => along(left, right).map((x) => [x, y]));
}

/** [x1, y1, x2, y2] of every object of a Pascal VOC file. */
function readBoxes(path) {
  const objects = readFileSync(path, "utf8").match(/<object>[\s\S]*?<\/object>/g) ?? [];
  const field = (text, name) => Number(text.match(new RegExp(`<${name}>\\s*([\\d.]+)\\s*</${name}>`))[1]);
  return objects.map((text) => ["xmin", "ymin", "xmax", "ymax"].map((name) => field(text, name)));
}

/** A box as COCO's [x, y, width, height] in a tile, in a list of one; an empty list where too little of it is inside. */
function clip([x1, y1, x2, y2], left, top) {
  const inTile = (v) => Math.min(Math.max(v, 0), TILE);
  const [a, b, c, d] = [inTile(x1 - left), inTile(y1 - top), inTile(x2 - left), inTile(y2 - top)];
  const inside = ((c - a) * (d - b)) / ((x2 - x1) * (y2 - y1));
  return inside >= MIN_INSIDE && c - a >= MIN_SIDE && d - b >= MIN_SIDE ? [[a, b, c - a, d - b]] : [];
}

/** JSON with one image or annotation a line, so that a difference can be read. */
function format(coco) {
  const fields = Object.entries(coco).map(([key, value]) => {
    if (!Array.isArray(value)) return `"${key}": ${JSON.stringify(value)}`;
    return `"${key}": [\n${value.map((entry) => JSON.stringify(entry)).join(",\n")}\n]`;
  });
  return `{\n${fields.join(",\n")}\n}`;
}
