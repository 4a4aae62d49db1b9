// Hue, saturation and value of bytes changed by tables, in OpenCV's arithmetic: hue in half degrees, 0 to 179.

import type { Rgb } from "../../../../data/image/decode.ts";

const SHIFT = 12;
const HALF = 1 << (SHIFT - 1);

/** Fixed-point `scale / i` of every byte. */
const quotients = (scale: number) =>
  Int32Array.from({ length: 256 }, (_, i) => (i === 0 ? 0 : Math.round((scale * 2 ** SHIFT) / i)));
const [OF_VALUE, OF_SPREAD] = [quotients(255), quotients(180 / 6)];

/** What becomes of hue (180 entries), saturation and value (256 each). */
type HsvTables = { hue: Uint8Array; saturation: Uint8Array; value: Uint8Array };

/** The table of a hue that is turned by some half degrees; what is left of them is cut off. */
export function turnedHue(by: number): Uint8Array {
  return Uint8Array.from({ length: 180 }, (_, hue) => Math.floor((((hue + by) % 180) + 180) % 180));
}

/** The table of bytes that something is added to. */
export function shiftedBytes(by: number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, v) => Math.min(Math.max(v + Math.trunc(by), 0), 255));
}

/** Which sixth of the circle each hue lies in, and how far into it. */
const SIXTH = Uint8Array.from({ length: 180 }, (_, hue) => Math.floor(hue / 30));
const INTO = Float64Array.from({ length: 180 }, (_, hue) => (hue % 30) / 30);

/** A new picture whose hue, saturation and value have gone through tables. A grey keeps no hue, so it has no saturation either. */
export function throughHsv({ data, width, height }: Rgb, tables: HsvTables): Rgb {
  const out = new Uint8ClampedArray(data.length); // it rounds; OpenCV cuts most of these off
  const { hue, saturation, value } = tables;
  for (let at = 0; at < data.length; at += 3) {
    const r = data[at]!; // no destructuring in loops over pixels: it takes its time
    const g = data[at + 1]!;
    const b = data[at + 2]!;
    const most = Math.max(r, g, b);
    const least = Math.min(r, g, b);
    const spread = most - least;
    const v = value[most]!;
    const before = (spread * OF_VALUE[most]! + HALF) >> SHIFT;
    const s = before === 0 ? 0 : saturation[before]!;
    if (s === 0) {
      out[at] = out[at + 1] = out[at + 2] = v;
      continue;
    }
    const turn = most === r ? g - b : most === g ? b - r + 2 * spread : r - g + 4 * spread;
    const place = (turn * OF_SPREAD[spread]! + HALF) >> SHIFT;
    const h = hue[place < 0 ? place + 180 : place]!;
    const sixth = SIXTH[h]!;
    const colour = (v * s) / 255;
    const low = v - colour;
    const middle = sixth & 1 ? v - colour * INTO[h]! : low + colour * INTO[h]!; // it falls in odd sixths and rises in even ones
    out[at] = sixth === 0 || sixth === 5 ? v : sixth === 1 || sixth === 4 ? middle : low;
    out[at + 1] = sixth === 1 || sixth === 2 ? v : sixth === 0 || sixth === 3 ? middle : low;
    out[at + 2] = sixth === 3 || sixth === 4 ? v : sixth === 2 || sixth === 5 ? middle : low;
  }
  return { data: new Uint8Array(out.buffer), width, height };
}
