import { expect, test } from "vitest";
import { rngFromSeed } from "../../../../util/random/rng.ts";
import { BELL_BITS, type ColourLoops, colourLoops, SCRIPT_LOOPS } from "./loops.ts";
import { reflected } from "./reflect.ts";

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
    const [tables, saturation, value] = [768, 256, 256].map((length) => bytes(length)) as [Uint8Array, Uint8Array, Uint8Array]; // biome-ignore format: one line
    if (i % 2 === 0) for (const channel of [1, 2]) tables.copyWithin(256 * channel, 0, 256); // as most steps have it, too
    const [turn, isTurned] = [rng.int(180), i % 2 === 0]; // as most steps have it
    const hue = isTurned ? Uint8Array.from({ length: 180 }, (_, h) => (h + turn) % 180) : bytes(180, 180);
    if (i % 4 === 0) for (let v = 0; v < 256; v++) saturation[v] = value[v] = v;
    const factor = rng.int(10 * 65_536);
    const made = (loops: ColourLoops) => {
      const outs = [0, 1, 2].map(() => new Uint8Array(data.length)) as [Uint8Array, Uint8Array, Uint8Array];
      loops.throughTables(data, outs[0], tables);
      loops.throughHsv(data, outs[1], hue, saturation, value);
      loops.saturate(data, outs[2], factor);
      for (const out of outs) loops.throughHsv(out, out, hue, saturation, value); // in place
      return { outs, sum: loops.greySum(data) };
    };
    const [ours, script] = [made(native!), made(SCRIPT_LOOPS)];
    expect(ours.sum).toBe(script.sum);
    for (const [k, out] of ours.outs.entries()) expect([i, k, Buffer.compare(out, script.outs[k]!)]).toEqual([i, k, 0]);
  }
});

test.skipIf(!native)("it blurs to the same bytes pictures and squares of any size", () => {
  const rng = rngFromSeed(6);
  for (let i = 0; i < 60; i++) {
    const [width, height, radius] = [1 + rng.int(i % 7 === 0 ? 300 : 20), 1 + rng.int(30), 1 + rng.int(12)];
    const outer = Array.from({ length: radius }, () => rng.int(80));
    const weights = Int32Array.of(2 ** BELL_BITS - 2 * outer.reduce((sum, weight) => sum + weight, 0), ...outer);
    const data = Uint8Array.from({ length: 3 * width * height }, () => rng.int(256));
    const made = (loops: ColourLoops) => {
      const out = new Uint8Array(data.length);
      expect(loops.blur(data, out, weights, reflected(width, radius), reflected(height, radius))).toBe(true);
      return out;
    };
    expect(made(native!)).toEqual(made(SCRIPT_LOOPS));
  }
});
