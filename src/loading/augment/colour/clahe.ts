// Lightness made even tile by tile, with a limit on contrast (CLAHE), in OpenCV's arithmetic.

import type { Rgb } from "../../../data/image/decode.ts";
import { fromLab, toLab } from "./lab.ts";
import { reflected } from "./loops/reflect.ts";

type Tiles = { clipLimit: number; across: number; down: number };

/** Of the picture's Lab colours the lightness is changed. */
export function clahe(image: Rgb, tiles: Tiles): Rgb {
  const lab = toLab(image.data);
  return fromLab({ ...lab, lightness: evenTiles(lab.lightness, image, tiles) }, image);
}

/** Bytes `[height, width]` through the tables of the four tiles around each, the nearer the more. */
function evenTiles(bytes: Uint8Array, { width, height }: Rgb, { clipLimit, across, down }: Tiles): Uint8Array {
  const whole = width % across === 0 && height % down === 0; // else both sides grow, one that fits by a whole pixel a tile
  const side = (length: number, tiles: number) => (whole ? length / tiles : Math.floor(length / tiles) + 1);
  const [tileWidth, tileHeight] = [side(width, across), side(height, down)];
  const [columns, rows] = [sources(width, tileWidth * across), sources(height, tileHeight * down)];
  const tables = new Uint8ClampedArray(256 * across * down); // it rounds as OpenCV does
  for (let j = 0; j < down; j++)
    for (let i = 0; i < across; i++) {
      const counts = new Int32Array(256);
      for (let y = j * tileHeight; y < (j + 1) * tileHeight; y++)
        for (let x = i * tileWidth; x < (i + 1) * tileWidth; x++) counts[bytes[rows[y]! * width + columns[x]!]!]!++;
      const at = 256 * (j * across + i);
      tableOf(counts, { pixels: tileWidth * tileHeight, clipLimit, out: tables.subarray(at, at + 256) });
    }
  const [xs, ys] = [around(width, tileWidth, across), around(height, tileHeight, down)];
  const out = new Uint8ClampedArray(bytes.length);
  for (let y = 0; y < height; y++) {
    const v = ys.share[y]!;
    const [top, bottom] = [256 * across * ys.low[y]!, 256 * across * ys.high[y]!];
    for (let x = 0; x < width; x++) {
      const byte = bytes[y * width + x]!;
      const u = xs.share[x]!;
      const left = 256 * xs.low[x]! + byte;
      const right = 256 * xs.high[x]! + byte;
      const upper = tables[top + left]! * (1 - u) + tables[top + right]! * u;
      const lower = tables[bottom + left]! * (1 - u) + tables[bottom + right]! * u;
      out[y * width + x] = upper * (1 - v) + lower * v;
    }
  }
  return new Uint8Array(out.buffer);
}

/** Where the pixels of a side come from that was made longer at its end. */
function sources(length: number, longer: number): Int32Array {
  return reflected(length, longer - length).subarray(longer - length);
}

/** Cut what is above the limit, spread it over all 256, and sum up. */
function tableOf(
  counts: Int32Array,
  { pixels, clipLimit, out }: { pixels: number; clipLimit: number; out: Uint8ClampedArray },
): void {
  const limit = Math.max(Math.trunc((clipLimit * pixels) / 256), 1);
  let cut = 0;
  for (let i = 0; i < 256; i++)
    if (counts[i]! > limit) {
      cut += counts[i]! - limit;
      counts[i] = limit;
    }
  const each = Math.trunc(cut / 256);
  let rest = cut - 256 * each;
  for (let i = 0; i < 256; i++) counts[i]! += each;
  const step = Math.max(Math.trunc(256 / Math.max(rest, 1)), 1);
  for (let i = 0; i < 256 && rest > 0; i += step, rest--) counts[i]!++;
  const scale = Math.fround(255 / pixels);
  let sum = 0;
  for (let i = 0; i < 256; i++) {
    sum += counts[i]!;
    out[i] = Math.fround(sum * scale);
  }
}

/** The tiles on both sides of each pixel, and the share of the higher one. */
function around(length: number, tile: number, tiles: number) {
  const [low, high, share] = [new Int32Array(length), new Int32Array(length), new Float64Array(length)];
  for (let i = 0; i < length; i++) {
    const place = i / tile - 0.5;
    const below = Math.floor(place);
    share[i] = place - below;
    low[i] = Math.max(below, 0);
    high[i] = Math.min(below + 1, tiles - 1);
  }
  return { low, high, share };
}
