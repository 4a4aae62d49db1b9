// One picture of an image twice: with what is annotated on the left, and with what was detected on the right.

import sharp from "sharp";
import type { Rgb } from "./decode.ts";
import { type DrawnObject, drawObjects } from "./draw.ts";
import { textMask } from "./textMask.ts";

/** Longer side of each half, in pixels. */
const SIDE = 480;
const GAP = 8;
const HEADER = 26;
const PAPER = 34;
const INK = 222;

/** JPEG qualities, tried one after the other until the picture is small enough. */
const QUALITIES = [84, 74, 62, 48, 34];

export type PairPicture = { data: Uint8Array; width: number; height: number };

/** A JPEG of at most about `mostBytes`. Boxes are xyxy in pixels of the image. */
export async function pairPicture(
  image: Rgb,
  { labels, detections, mostBytes = 90_000 }: { labels: DrawnObject[]; detections: DrawnObject[]; mostBytes?: number },
): Promise<PairPicture> {
  const scale = SIDE / Math.max(image.width, image.height);
  const small = await resize(image, scale);
  const at = (objects: DrawnObject[]) =>
    objects.map((object) => ({ ...object, box: object.box.map((v) => v * scale) as unknown as DrawnObject["box"] }));
  const left = await drawObjects(small, at(labels));
  const right = await drawObjects(small, at(detections));
  const [width, height] = [left.width + GAP + right.width, HEADER + left.height];
  const picture: Rgb = { data: new Uint8Array(3 * width * height).fill(PAPER), width, height };
  await write(picture, "labels", 8);
  await write(picture, "predictions", left.width + GAP + 8);
  paste(picture, left, 0);
  paste(picture, right, left.width + GAP);
  return { data: await encode(picture, mostBytes), width, height };
}

async function resize({ data, width, height }: Rgb, scale: number): Promise<Rgb> {
  const side = (length: number) => Math.max(1, Math.round(length * scale));
  const { data: resized, info } = await sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .resize(side(width), side(height), { fit: "fill" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data: resized, width: info.width, height: info.height };
}

function paste(picture: Rgb, part: Rgb, left: number): void {
  for (let y = 0; y < part.height; y++) {
    const row = part.data.subarray(3 * y * part.width, 3 * (y + 1) * part.width);
    picture.data.set(row, 3 * ((y + HEADER) * picture.width + left));
  }
}

async function write(picture: Rgb, text: string, left: number): Promise<void> {
  const mask = await textMask(text, 13);
  const top = Math.floor((HEADER - mask.height) / 2);
  for (let y = 0; y < Math.min(mask.height, HEADER); y++)
    for (let x = 0; x < mask.width && left + x < picture.width; x++) {
      const value = Math.round(PAPER + ((INK - PAPER) * mask.data[y * mask.width + x]!) / 255);
      picture.data.fill(
        value,
        3 * ((top + y) * picture.width + left + x),
        3 * ((top + y) * picture.width + left + x + 1),
      );
    }
}

async function encode({ data, width, height }: Rgb, mostBytes: number): Promise<Uint8Array> {
  let jpeg: Uint8Array = new Uint8Array();
  for (const quality of QUALITIES) {
    jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg({ quality })
      .toBuffer();
    if (jpeg.length <= mostBytes) break;
  }
  return jpeg;
}
