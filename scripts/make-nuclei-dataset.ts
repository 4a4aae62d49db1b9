// Makes datasets/nuclei: tiles of the microscope picture with hand-drawn nuclei that the PyPI package stardist 0.9.1 carries.
// Usage: npx tsx scripts/make-nuclei-dataset.ts [path of the wheel]      (needs python3 with pip, and the network without a path)
// The same wheel and the same sharp give the same bytes.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { polygonRuns } from "../src/instance/masks/polygon.ts";
import { encodeRuns, packRuns } from "../src/instance/masks/runs.ts";

const WHEEL_SHA256 = "1f2caf3a071c1ead1b0cbbf9614ff2c82967be1bd22764f097871fb9bbd2718f";
const OUT = fileURLToPath(new URL("../datasets/nuclei/", import.meta.url));
const SIDE = 512; // of the picture
const TILE = 128;
const STRIDE = 40; // of training tiles, at most; held-out tiles overlap only as much as it takes to cover their region
const MIN_INSIDE = 0.4; // a nucleus is kept where this part of its pixels lies in the tile
const MIN_SIDE = 4; // pixels
const BRIGHTER = 2; // the picture uses the lower half of what 8 bits hold, but for a few dying nuclei
const JPEG = { quality: 90, mozjpeg: true, progressive: false };

/** [left, top, right, bottom] in pixels of the picture; no pixel is in two splits. */
const REGIONS = { train: [0, 0, 352, SIDE], valid: [352, 0, SIDE, SIDE] } as const;

type Grey = { values: Uint16Array; at(x: number, y: number): number };

const work = mkdtempSync(join(tmpdir(), "nuclei-"));
try {
  const data = unpack(process.argv[2] ?? download());
  const [picture, labels] = [readTiff(join(data, "img2d.tif")), readTiff(join(data, "mask2d.tif"))];
  for (const split of ["train", "valid"] as const) await makeSplit(split, picture, labels);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function download(): string {
  const platform = ["--only-binary=:all:", "--python-version", "3.11", "--platform", "manylinux2014_x86_64"];
  const command = ["-m", "pip", "download", "--quiet", "--no-deps", ...platform, "--dest", work, "stardist==0.9.1"];
  execFileSync("python3", command, { stdio: "inherit" });
  return join(work, readdirSync(work).find((name) => name.endsWith(".whl"))!);
}

function unpack(wheel: string): string {
  const found = createHash("sha256").update(readFileSync(wheel)).digest("hex");
  if (found !== WHEEL_SHA256)
    throw new Error(`${wheel} is not the expected file: SHA-256 ${found}, not ${WHEEL_SHA256}`);
  execFileSync("python3", ["-m", "zipfile", "-e", wheel, join(work, "wheel")]);
  return join(work, "wheel", "stardist", "data", "images");
}

/** A TIFF of 16-bit grey pixels that are not compressed, in one strip behind the other. */
function readTiff(path: string): Grey {
  const bytes = readFileSync(path);
  const directory = bytes.readUInt32LE(4);
  const fields = new Map<number, number>();
  for (let i = 0; i < bytes.readUInt16LE(directory); i++) {
    const field = directory + 2 + 12 * i;
    fields.set(bytes.readUInt16LE(field), bytes.readUInt16LE(field + 2) === 3 ? bytes.readUInt16LE(field + 8) : bytes.readUInt32LE(field + 8)); // biome-ignore format: one line
  }
  const [width, height, bits, compression, from] = [256, 257, 258, 259, 273].map((tag) => fields.get(tag));
  if (width !== SIDE || height !== SIDE || bits !== 16 || compression !== 1) throw new Error(`${path} is another file`);
  const values = Uint16Array.from({ length: SIDE * SIDE }, (_, i) => bytes.readUInt16LE(from! + 2 * i));
  return { values, at: (x, y) => values[y * SIDE + x]! };
}

type Box = [x: number, y: number, width: number, height: number];
type Entry = {
  id: number;
  image_id: number;
  category_id: 1;
  bbox: Box;
  area: number;
  iscrowd: 0;
  segmentation: unknown;
};

async function makeSplit(split: keyof typeof REGIONS, picture: Grey, labels: Grey): Promise<void> {
  const folder = join(OUT, split);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const images: { id: number; license: 1; file_name: string; width: number; height: number }[] = [];
  const annotations: Entry[] = [];
  const whole = new Map<number, number>();
  for (const label of labels.values) whole.set(label, (whole.get(label) ?? 0) + 1);
  for (const [left, top] of corners(REGIONS[split], split === "train" ? STRIDE : TILE)) {
    const file_name = `nuclei-${String(left).padStart(3, "0")}-${String(top).padStart(3, "0")}.jpg`;
    const image_id = images.length + 1;
    images.push({ id: image_id, license: 1, file_name, width: TILE, height: TILE });
    const tile = (from: Grey) => Array.from({ length: TILE * TILE }, (_, i) => from.at(left + (i % TILE), top + Math.floor(i / TILE))); // biome-ignore format: one line
    const grey = Uint8Array.from(tile(picture), (value) => Math.min(255, BRIGHTER * value));
    await sharp(grey, { raw: { width: TILE, height: TILE, channels: 1 } })
      .jpeg(JPEG)
      .toFile(join(folder, file_name));
    const own = tile(labels);
    for (const label of [...new Set(own)].filter((one) => one !== 0).sort((a, b) => a - b)) {
      const pixels = Uint8Array.from(own, (one) => (one === label ? 1 : 0));
      const area = pixels.reduce((sum, one) => sum + one, 0);
      const bbox = boxOf(pixels);
      if (area < MIN_INSIDE * whole.get(label)! || Math.min(bbox[2], bbox[3]) < MIN_SIDE) continue;
      const segmentation = segmentationOf(pixels, { cut: area < whole.get(label)! });
      annotations.push({ id: annotations.length + 1, image_id, category_id: 1, bbox, area, iscrowd: 0, segmentation });
    }
  }
  const coco = {
    info: { description: "Cell nuclei in a fluorescence microscope picture (see ../README.md)", version: "1" },
    licenses: [{ id: 1, name: "BSD-3-Clause" }],
    categories: [{ id: 1, name: "nucleus", supercategory: "none" }],
    ...{ images, annotations },
  };
  writeFileSync(join(folder, "_annotations.coco.json"), `${format(coco)}\n`);
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const most = Math.max(...images.map(({ id }) => annotations.filter((one) => one.image_id === id).length));
  const polygons = annotations.filter((one) => Array.isArray(one.segmentation)).length;
  const counts = `${annotations.length} nuclei (${polygons} polygons), at most ${most} in a tile`;
  console.log(`${split}: ${images.length} tiles, ${counts}, ${(bytes / 1e6).toFixed(2)} MB`);
}

/** Corners of tiles spread evenly over a region, at most `stride` apart, never outside of it. */
function corners([left, top, right, bottom]: readonly [number, number, number, number], stride: number) {
  const along = (from: number, to: number) => {
    const steps = Math.ceil((to - from - TILE) / stride);
    const at = (i: number) => from + (steps ? Math.round((i * (to - from - TILE)) / steps) : 0);
    return Array.from({ length: steps + 1 }, (_, i) => at(i));
  };
  return along(top, bottom).flatMap((y) => along(left, right).map((x) => [x, y] as const));
}

function boxOf(pixels: Uint8Array): Box {
  let [left, top, right, bottom] = [TILE, TILE, 0, 0];
  for (const [i, one] of pixels.entries()) {
    if (!one) continue;
    const [x, y] = [i % TILE, Math.floor(i / TILE)];
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
  }
  return [left, top, right - left, bottom - top];
}

/** A nucleus that the tile shows whole as the polygon around its pixels; others, and those in several parts, as run lengths. */
function segmentationOf(pixels: Uint8Array, { cut }: { cut: boolean }): unknown {
  const size: [number, number] = [TILE, TILE];
  const runs = encodeRuns(pixels, size);
  const polygon = cut ? null : outline(pixels);
  if (polygon && packRuns(polygonRuns(polygon, size)) === packRuns(runs)) return [polygon];
  return { size, counts: packRuns(runs) };
}

/** Around the first part of a mask along the edges of its pixels, inside to the right; corners only. */
function outline(pixels: Uint8Array): number[] {
  const inside = (x: number, y: number) => x >= 0 && y >= 0 && x < TILE && y < TILE && pixels[y * TILE + x] === 1;
  const first = pixels.indexOf(1);
  const start = [first % TILE, Math.floor(first / TILE)] as const;
  let [x, y, dx, dy] = [start[0], start[1], 1, 0];
  const points: number[] = [];
  do {
    [x, y] = [x + dx, y + dy];
    // The pixels ahead, to the left and to the right of the way.
    const ahead = (side: -1 | 1) => inside(x + (dx + side * -dy - 1) / 2, y + (dy + side * dx - 1) / 2);
    const turn = ahead(-1) ? -1 : ahead(1) ? 0 : 1;
    if (turn === 0) continue;
    points.push(x, y);
    [dx, dy] = [turn * -dy, turn * dx];
  } while (x !== start[0] || y !== start[1]);
  return points;
}

/** JSON with one image or annotation a line, so that a difference can be read. */
function format(coco: Record<string, unknown>): string {
  const fields = Object.entries(coco).map(([key, value]) => {
    if (!Array.isArray(value)) return `"${key}": ${JSON.stringify(value)}`;
    return `"${key}": [\n${value.map((entry) => JSON.stringify(entry)).join(",\n")}\n]`;
  });
  return `{\n${fields.join(",\n")}\n}`;
}
