// The mask of a detection: logits of the mask head enlarged to the image (bilinear, half-pixel centres), inside where they are above 0.

import { firstFrom } from "../../util/arrays/firstFrom.ts";
import { packMask, runsFromChanges } from "./runs.ts";

/** Between which two of `from` points each of `to` points lies, and how near to the second one, all as float32. */
type Taps = { first: Int32Array; second: Int32Array; share: Float32Array };

/**
 * The mask of logits [from], row-major, at the size `to`, packed in a text. Every column is looked at between two logits at a time:
 * where both are above 0 all is inside, where none is nothing is.
 */
export function maskFromLogits(
  logits: Float32Array,
  from: readonly [height: number, width: number],
  to: readonly [height: number, width: number],
): { size: [height: number, width: number]; counts: string } {
  const [[fromHeight, fromWidth], [height, width]] = [from, to];
  const [across, down] = [taps(fromWidth, width), taps(fromHeight, height)];
  const firstRow = firstFrom(down.first, fromHeight); // the first row of the image behind each row of logits
  const filled = columnsWithInside(logits, from);
  const column = new Float32Array(fromHeight);
  const changes: number[] = [];
  let inside = false;
  const change = (now: boolean, at: number) => {
    if (now !== inside) changes.push(at);
    inside = now;
  };
  for (let x = 0; x < width; x++) {
    const [a, b, share] = [across.first[x]!, across.second[x]!, across.share[x]!];
    if (!filled[a] && !filled[b]) {
      change(false, x * height);
      continue;
    }
    const rest = Math.fround(1 - share);
    for (let y = 0; y < fromHeight; y++)
      column[y] = rest * logits[y * fromWidth + a]! + share * logits[y * fromWidth + b]!;
    for (let y = 0; y < fromHeight; y++) {
      const [start, stop] = [firstRow[y]!, firstRow[y + 1]!];
      if (start === stop) continue;
      const [above, below] = [column[y]! > 0, column[Math.min(y + 1, fromHeight - 1)]! > 0];
      if (above === below) change(above, x * height + start);
      else
        for (let at = start; at < stop; at++) {
          const near = down.share[at]!;
          const value = Math.fround(1 - near) * column[y]! + near * column[y + 1]!;
          change(value > 0, x * height + at);
        }
    }
  }
  return packMask(runsFromChanges(changes, [height, width]));
}

function taps(from: number, to: number): Taps {
  const scale = Math.fround(from / to);
  const [first, second, share] = [new Int32Array(to), new Int32Array(to), new Float32Array(to)];
  for (let i = 0; i < to; i++) {
    const at = Math.max(Math.fround(Math.fround(scale * (i + 0.5)) - 0.5), 0);
    first[i] = Math.min(Math.floor(at), from - 1);
    second[i] = Math.min(first[i]! + 1, from - 1);
    share[i] = Math.min(at - first[i]!, 1);
  }
  return { first, second, share };
}

/** Whether a column of logits has any above 0. */
function columnsWithInside(logits: Float32Array, [height, width]: readonly [number, number]): Uint8Array {
  const filled = new Uint8Array(width);
  for (let i = 0; i < height * width; i++) if (logits[i]! > 0) filled[i % width] = 1;
  return filled;
}
