// Detections drawn on a picture: mask and box in the colour of their class, and a label that can be read at any size of picture.

import sharp from "sharp";
import type { Runs } from "../../instance/masks/runs.ts";
import type { Rgb } from "./decode.ts";
import { paintMask } from "./paintMask.ts";
import { type TextMask, textMask } from "./textMask.ts";

/** What to draw. `box`: xyxy in pixels; `label` decides the colour; `mask` is of the size of the image that the picture shows. */
export type DrawnObject = {
  box: readonly [number, number, number, number];
  label: number;
  text: string;
  mask?: Runs | undefined;
};

type Colour = readonly [number, number, number];

/** Pictures whose longer side is shorter than this are enlarged, or labels would hide them. */
const LEAST_SIDE = 480;
const MOST_ENLARGED = 8;
const LONGEST_TEXT = 40;
/** In a picture of more objects labels would hide boxes. */
const MOST_TEXTS = 30;
/** Of the edge inside a box's line, so that it shows on an object of the same colour. */
const DARK: Colour = [20, 20, 20];

/**
 * A new picture with the objects drawn, all masks under all boxes; the first one ends on top, and where there are many they
 * have no labels. A small picture comes back enlarged by a whole factor.
 */
export async function drawObjects(image: Rgb, objects: readonly DrawnObject[]): Promise<Rgb> {
  const scale = Math.min(MOST_ENLARGED, Math.ceil(LEAST_SIDE / Math.max(image.width, image.height)));
  const picture = scale > 1 ? await enlarge(image, scale) : { ...image, data: Uint8Array.from(image.data) };
  const side = (picture.width + picture.height) / 2;
  const line = Math.max(2, Math.round(0.003 * side));
  const size = Math.max(12, Math.round(0.02 * side));
  const back = [...objects].reverse();
  for (const { mask, label } of back)
    if (mask) paintMask(picture, mask, { colour: colourOf(label), line: Math.ceil(line / 2) });
  for (const { box, label } of back)
    outline(picture, box.map((v) => Math.round(v * scale)) as Box, line, colourOf(label));
  if (objects.length > MOST_TEXTS) return picture;
  const masks = new Map<string, TextMask>();
  for (const { box, label, text } of back.filter(({ text }) => text !== "")) {
    const shown = text.length > LONGEST_TEXT ? `${text.slice(0, 24)}…${text.slice(-15)}` : text;
    const mask = masks.get(shown) ?? (await textMask(shown, size));
    masks.set(shown, mask);
    caption(
      picture,
      mask,
      { x: Math.round(box[0] * scale), y: Math.round(box[1] * scale), line, size },
      colourOf(label),
    );
  }
  return picture;
}

/** A picture as a file's bytes; `name` says by its extension whether as JPEG, WebP or PNG. */
export async function encodePicture({ data, width, height }: Rgb, name: string): Promise<Buffer> {
  const picture = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  if (/\.jpe?g$/i.test(name)) return picture.jpeg({ quality: 92, chromaSubsampling: "4:4:4" }).toBuffer();
  if (/\.webp$/i.test(name)) return picture.webp({ quality: 90 }).toBuffer();
  return picture.png({ compressionLevel: 6 }).toBuffer();
}

/** A small JPEG, its longer side at most `side` pixels. */
export async function encodeSmall(
  { data, width, height }: Rgb,
  { side, quality }: { side: number; quality: number },
): Promise<{ data: Buffer; width: number; height: number }> {
  const picture = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  const { data: jpeg, info } = await picture
    .resize(side, side, { fit: "inside", withoutEnlargement: true })
    .jpeg({ quality })
    .toBuffer({ resolveWithObject: true });
  return { data: jpeg, width: info.width, height: info.height };
}

/** The first of some such JPEGs that has at most so many bytes; undefined where none of them has. */
export async function encodeWithin(
  image: Rgb,
  { most, sizes }: { most: number; sizes: readonly { side: number; quality: number }[] },
): Promise<string | undefined> {
  for (const size of sizes) {
    const { data } = await encodeSmall(image, size);
    if (data.length <= most) return data.toString("base64");
  }
  return undefined;
}

async function enlarge({ data, width, height }: Rgb, scale: number): Promise<Rgb> {
  const { data: larger, info } = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(width * scale, height * scale, { fit: "fill", kernel: "cubic" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data: larger, width: info.width, height: info.height };
}

type Box = [number, number, number, number];

/** The edge of a box, its line inwards from the box's sides, and a thinner dark one within. */
function outline(picture: Rgb, [x1, y1, x2, y2]: Box, line: number, colour: Colour): void {
  frame(picture, [x1 + line, y1 + line, x2 - line, y2 - line], Math.round(line / 2), DARK);
  frame(picture, [x1, y1, x2, y2], line, colour);
}

function frame(picture: Rgb, [x1, y1, x2, y2]: Box, line: number, colour: Colour): void {
  fill(picture, [x1, y1, x2, y1 + line], colour);
  fill(picture, [x1, y2 - line, x2, y2], colour);
  fill(picture, [x1, y1, x1 + line, y2], colour);
  fill(picture, [x2 - line, y1, x2, y2], colour);
}

function fill({ data, width, height }: Rgb, [x1, y1, x2, y2]: Box, colour: Colour): void {
  for (let y = Math.max(y1, 0); y < Math.min(y2, height); y++)
    for (let x = Math.max(x1, 0); x < Math.min(x2, width); x++) data.set(colour, 3 * (y * width + x));
}

/** The label above the box's upper left corner, or inside it where there is no room; never beyond the picture's edge. */
function caption(
  picture: Rgb,
  mask: TextMask,
  { x, y, line, size }: { x: number; y: number; line: number; size: number },
  colour: Colour,
): void {
  const padding = Math.round(size / 4);
  const [width, height] = [mask.width + 2 * padding, Math.max(mask.height, size) + 2 * Math.round(size / 8)];
  const left = Math.max(0, Math.min(x, picture.width - width));
  const top = Math.max(0, Math.min(y - height < 0 ? y + line : y - height, picture.height - height));
  fill(picture, [left, top, left + width, top + height], colour);
  const ink = isLight(colour) ? 0 : 255;
  const [textLeft, textTop] = [left + padding, top + Math.floor((height - mask.height) / 2)];
  for (let row = 0; row < mask.height && textTop + row < picture.height; row++)
    for (let column = 0; column < mask.width && textLeft + column < picture.width; column++) {
      const share = mask.data[row * mask.width + column]! / 255;
      const at = 3 * ((textTop + row) * picture.width + textLeft + column);
      for (let c = 0; c < 3; c++) picture.data[at + c] = Math.round(picture.data[at + c]! * (1 - share) + ink * share);
    }
}

/** A colour for a class. Hues go round by the golden angle, so that neighbouring labels differ. */
export function colourOf(label: number): Colour {
  const hue = (350 + 137.508 * label) % 360;
  const lightness = [0.5, 0.4, 0.62][Math.floor(label / 12) % 3]!;
  const chroma = 0.9 * (1 - Math.abs(2 * lightness - 1));
  const channel = (offset: number) => {
    const k = (offset + hue / 30) % 12;
    return Math.round(255 * (lightness - (chroma / 2) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

function isLight([r, g, b]: Colour): boolean {
  return 0.299 * r + 0.587 * g + 0.114 * b > 140;
}
