// Four pictures that meet in a point of the model's square, each scaled until it covers its cell, and cut to that.

import type { Rng } from "../../../util/random/rng.ts";
import type { Change, Size } from "../step.ts";

/** The cells of four pictures, of whose sizes the first is that of the image itself; it may be in any corner. */
export function drawMosaic(
  rng: Rng,
  { center_range: [low, high] }: { center_range: readonly number[] },
  { side, sizes }: { side: number; sizes: readonly Size[] },
): { cut: Change; onto: Change }[] {
  const corner = rng.int(4);
  const [x, y] = [0, 1].map(() => Math.round(side * (low! + (high! - low!) * rng.uniform()))) as [number, number];
  return sizes.map((size, i) => {
    const [column, row] = [((corner + i) % 4) % 2, Math.floor(((corner + i) % 4) / 2)];
    const cell = { width: column === 0 ? x : side - x, height: row === 0 ? y : side - y };
    const onto = { left: column === 0 ? 0 : x, top: row === 0 ? 0 : y, width: side, height: side };
    const scale = Math.max(cell.width / size.width, cell.height / size.height);
    const resize = {
      width: Math.max(cell.width, Math.round(size.width * scale)),
      height: Math.max(cell.height, Math.round(size.height * scale)),
    };
    const top = Math.floor(rng.uniform() * (resize.height - cell.height + 1));
    const left = Math.floor(rng.uniform() * (resize.width - cell.width + 1));
    return { cut: { resize, cut: { top, left, ...cell } }, onto: { onto } };
  });
}
