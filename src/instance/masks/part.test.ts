import { expect, test } from "vitest";
import { rngFromSeed } from "../../util/random/rng.ts";
import { cutRuns, placeRuns } from "./part.ts";
import { decodeRuns, encodeRuns } from "./runs.ts";

/** Pixels of some size in lumps, so that runs pass the ends of columns. */
function lumps(seed: number, [height, width]: readonly [number, number]): Uint8Array {
  const rng = rngFromSeed(seed);
  const pixels = new Uint8Array(height * width).fill(rng.int(2));
  for (let i = 0; i < 3; i++) {
    const [x, y, w, h] = [rng.int(width), rng.int(height), 1 + rng.int(width), 1 + rng.int(height)];
    const value = rng.int(2);
    for (let row = y; row < Math.min(y + h, height); row++)
      pixels.fill(value, row * width + x, row * width + Math.min(x + w, width));
  }
  return pixels;
}

test("a part cut out of a mask has its pixels, and put back it has them where they were", () => {
  for (let seed = 0; seed < 200; seed++) {
    const rng = rngFromSeed(seed, 1);
    const size = [2 + rng.int(11), 2 + rng.int(13)] as const;
    const [height, width] = [1 + rng.int(size[0]), 1 + rng.int(size[1])];
    const part = { left: rng.int(size[1] - width + 1), top: rng.int(size[0] - height + 1), width, height };
    const pixels = lumps(seed, size);
    const cut = cutRuns(encodeRuns(pixels, size), part);
    const expected = Uint8Array.from(
      { length: height * width },
      (_, i) => pixels[(part.top + Math.floor(i / width)) * size[1] + part.left + (i % width)]!,
    );
    expect([...decodeRuns(cut)]).toEqual([...expected]);
    const back = decodeRuns(placeRuns(cut, part, size));
    const placed = pixels.map((value, i) => {
      const [x, y] = [i % size[1], Math.floor(i / size[1])];
      return x >= part.left && x < part.left + width && y >= part.top && y < part.top + height ? value : 0;
    });
    expect([...back]).toEqual([...placed]);
  }
});
