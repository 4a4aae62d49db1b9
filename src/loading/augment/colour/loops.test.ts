import { expect, test } from "vitest";
import { rngFromSeed } from "../../../util/random/rng.ts";
import { type ColourLoops, colourLoops, SCRIPT_LOOPS } from "./loops.ts";

const native = colourLoops() === SCRIPT_LOOPS ? null : colourLoops();

test.skipIf(!native)("our addon makes the bytes that JavaScript makes, of all colours and by any tables", () => {
  const rng = rngFromSeed(5);
  const bytes = (length: number, most = 256) => Uint8Array.from({ length }, () => rng.int(most));
  for (let i = 0; i < 12; i++) {
    // random colours; all pairs of two channels with each third; near greys
    const data = i % 3 === 0 ? bytes(3 * 20_011) : new Uint8Array(3 * 65_536);
    for (let j = 0; i % 3 > 0 && j < 65_536; j++) {
      const [a, b] = [j >> 8, j & 255];
      data.set(i % 3 === 1 ? [a, b, 17 * i] : [a, Math.min(a + (b & 3), 255), Math.max(a - (b >> 6), 0)], 3 * j);
    }
    const [tables, hue, saturation, value] = [bytes(768), bytes(180, 180), bytes(256), bytes(256)];
    const factor = rng.int(10 * 65_536);
    const made = (loops: ColourLoops) => {
      const outs = [0, 1, 2].map(() => new Uint8Array(data.length)) as [Uint8Array, Uint8Array, Uint8Array];
      loops.throughTables(data, outs[0], tables);
      loops.throughHsv(data, outs[1], hue, saturation, value);
      loops.saturate(data, outs[2], factor);
      for (const out of outs) loops.throughHsv(out, out, hue, saturation, value); // in place
      return [...outs, loops.greySum(data)];
    };
    expect(made(native!)).toEqual(made(SCRIPT_LOOPS));
  }
});
