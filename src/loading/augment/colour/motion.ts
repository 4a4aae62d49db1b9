// The blur of a motion: the mean of the pixels on a short line.

import type { Rgb } from "../../../data/image/decode.ts";
import { reflected } from "./loops/reflect.ts";

/** Angle in degrees, clockwise from right; `direction` from -1 (the line ends in its middle) to 1 (it begins there); shifts from -1 to 1. */
type Motion = { side: number; angle: number; direction: number; shiftX: number; shiftY: number };

/** The pixels of the line, each once, as steps from the middle of a square of an odd side. */
export function motionLine({ side, angle, direction, shiftX, shiftY }: Motion): [dx: number, dy: number][] {
  const reach = side >> 1;
  const [from, to] = [-reach * (1 - Math.max(direction, 0)), reach * (1 + Math.min(direction, 0))];
  const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  const place = (v: number) => Math.min(Math.max(roundHalfEven(reach + v), 0), side - 1) - reach;
  const points = new Map<string, [number, number]>();
  for (let i = 0; i < side; i++) {
    const t = from + ((to - from) * i) / (side - 1);
    const point: [number, number] = [place(cos * t + (shiftX * reach) / 2), place(sin * t + (shiftY * reach) / 2)];
    points.set(point.join(), point);
  }
  return [...points.values()];
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor % 2) : Math.round(x);
}

/** The mean of the pixels at these steps from each. */
export function meanAlong({ data, width, height }: Rgb, steps: readonly (readonly [dx: number, dy: number])[]): Rgb {
  const radius = Math.max(...steps.flat().map(Math.abs));
  const [columns, rows] = [reflected(width, radius), reflected(height, radius)];
  const sums = new Int32Array(3 * width);
  const out = new Uint8ClampedArray(data.length); // it rounds as OpenCV does
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (const [dx, dy] of steps) {
      const row = 3 * width * rows[y + dy + radius]!;
      const [first, last] = [Math.max(-dx, 0), Math.min(width - dx, width)];
      for (let i = 3 * first, from = row + 3 * (first + dx); i < 3 * last; i++, from++) sums[i]! += data[from]!;
      for (let x = 0; x < width; x++) {
        if (x === first && last > first) x = last;
        if (x >= width) break;
        const from = row + 3 * columns[x + dx + radius]!;
        for (let c = 0; c < 3; c++) sums[3 * x + c]! += data[from + c]!;
      }
    }
    for (let i = 0, at = 3 * width * y; i < sums.length; i++, at++) out[at] = sums[i]! / steps.length;
  }
  return { data: new Uint8Array(out.buffer), width, height };
}
