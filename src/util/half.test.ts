import { expect, test } from "vitest";
import { halfBits } from "./half.ts";
import { toFloat32 } from "./hostTensor.ts";
import { rngFromSeed } from "./random/rng.ts";

function back(bits: number): number {
  return toFloat32({ dtype: "F16", shape: [1], bytes: new Uint8Array(Uint16Array.of(bits).buffer) })[0]!;
}

test("every float16 survives the way there and back", () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = back(bits);
    if (Number.isNaN(value)) expect(halfBits(value) & 0x7fff).toBeGreaterThan(0x7c00);
    else expect(halfBits(value)).toBe(bits);
  }
});

test("other numbers go to the nearest, ties to the even one", () => {
  const rng = rngFromSeed(1);
  for (let i = 0; i < 20_000; i++) {
    const value = Math.fround((rng.uniform() * 2 - 1) * 10 ** (rng.uniform() * 13 - 8));
    const bits = halfBits(value);
    if ((bits & 0x7fff) >= 0x7bff) continue;
    const error = Math.abs(back(bits) - value);
    for (const near of [bits - 1, bits + 1])
      if ((near & 0x7fff) < 0x7c00 && near >= 0) expect(error).toBeLessThanOrEqual(Math.abs(back(near) - value));
  }
  expect([1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520, 2 ** -25, 3 * 2 ** -25].map(halfBits)).toEqual([
    0x3c00, 0x3c02, 0x7bff, 0x7c00, 0, 2,
  ]);
});
