// The loops over pixels of the changes of colour that are done most: in our own addon where that has them, else here, the same bytes.

import { imageAddon } from "../../../../data/image/pillow/addon.ts";
import { blurInScript } from "./bell.ts";

/** Each reads RGB bytes and writes as many, into the same memory where that is given. */
export type ColourLoops = {
  /** Each channel by its own 256 bytes of `tables`. */
  throughTables(data: Uint8Array, out: Uint8Array, tables: Uint8Array): void;
  /** Hue by 180 bytes (half degrees), saturation and value by 256; what has no saturation keeps none. */
  throughHsv(data: Uint8Array, out: Uint8Array, hue: Uint8Array, saturation: Uint8Array, value: Uint8Array): void;
  /** Each pixel between its grey and itself or beyond; `factor` in 65536ths, at most 10 of them whole. */
  saturate(data: Uint8Array, out: Uint8Array, factor: number): void;
  /** The sum of the greys of all pixels. */
  greySum(data: Uint8Array): number;
  /**
   * A blur across and down, not in place. `weights` from the middle outwards, of BELL_BITS; `columns` and `rows` are where the places of a
   * picture come from, and as many more on both sides as there are weights beside the middle. False where it takes too much memory.
   */
  blur(data: Uint8Array, out: Uint8Array, weights: Int32Array, columns: Int32Array, rows: Int32Array): boolean;
};

/** Bits of a weight: two of them and a byte fit into 32. */
export const BELL_BITS = 11;

/** The addon's, or these. */
export function colourLoops(): ColourLoops {
  const addon = imageAddon() as Partial<ColourLoops & ReturnType<typeof imageAddon>> | undefined;
  return addon?.blur ? (addon as ColourLoops) : SCRIPT_LOOPS;
}

/** OpenCV's grey of bytes. */
export const greyOf = (r: number, g: number, b: number) => (r * 9798 + g * 19235 + b * 3735 + 0x4000) >> 15;

const SHIFT = 12;
const HALF = 1 << (SHIFT - 1);

/** Fixed-point `scale / i` of every byte. */
const quotients = (scale: number) =>
  Int32Array.from({ length: 256 }, (_, i) => (i === 0 ? 0 : Math.round((scale * 2 ** SHIFT) / i)));
const [OF_VALUE, OF_SPREAD] = [quotients(255), quotients(180 / 6)];
/** Which sixth of the circle each hue lies in; and how far what is between high and low is from high, in 30ths. */
const SIXTH = Uint8Array.from({ length: 180 }, (_, hue) => Math.floor(hue / 30));
const FROM_HIGH = Uint8Array.from({ length: 180 }, (_, hue) => (SIXTH[hue]! % 2 === 1 ? hue % 30 : 30 - (hue % 30)));

/** No destructuring in loops over pixels: it takes its time. */
export const SCRIPT_LOOPS: ColourLoops = {
  throughTables(data, out, tables) {
    for (let at = 0; at < data.length; at += 3) {
      out[at] = tables[data[at]!]!;
      out[at + 1] = tables[256 + data[at + 1]!]!;
      out[at + 2] = tables[512 + data[at + 2]!]!;
    }
  },
  throughHsv(data, out, hue, saturation, value) {
    for (let at = 0; at < data.length; at += 3) {
      const r = data[at]!;
      const g = data[at + 1]!;
      const b = data[at + 2]!;
      const most = Math.max(r, g, b);
      const spread = most - Math.min(r, g, b);
      const v = value[most]!;
      const before = (spread * OF_VALUE[most]! + HALF) >> SHIFT;
      const s = before === 0 ? 0 : saturation[before]!;
      const turn = most === r ? g - b : most === g ? b - r + 2 * spread : r - g + 4 * spread;
      const place = (turn * OF_SPREAD[spread]! + HALF) >> SHIFT;
      const h = hue[place < 0 ? place + 180 : place]!;
      const low = ((v * (255 - s) + 127) / 255) | 0;
      const middle = ((v * (7650 - s * FROM_HIGH[h]!) + 3825) / 7650) | 0;
      const sixth = SIXTH[h]!;
      out[at] = sixth === 0 || sixth === 5 ? v : sixth === 1 || sixth === 4 ? middle : low;
      out[at + 1] = sixth === 1 || sixth === 2 ? v : sixth === 0 || sixth === 3 ? middle : low;
      out[at + 2] = sixth === 3 || sixth === 4 ? v : sixth === 2 || sixth === 5 ? middle : low;
    }
  },
  saturate(data, out, factor) {
    const rest = 0x10000 - factor;
    for (let at = 0; at < data.length; at += 3) {
      const r = data[at]!;
      const g = data[at + 1]!;
      const b = data[at + 2]!;
      const grey = greyOf(r, g, b) * rest + 0x8000;
      out[at] = clamp((r * factor + grey) >> 16);
      out[at + 1] = clamp((g * factor + grey) >> 16);
      out[at + 2] = clamp((b * factor + grey) >> 16);
    }
  },
  greySum(data) {
    let sum = 0;
    for (let at = 0; at < data.length; at += 3) sum += greyOf(data[at]!, data[at + 1]!, data[at + 2]!);
    return sum;
  },
  blur(data, out, weights, columns, rows) {
    blurInScript(data, out, { weights, columns, rows, bits: BELL_BITS });
    return true;
  },
};

const clamp = (v: number) => Math.min(Math.max(v, 0), 255);
