import { expect, test } from "vitest";
import { VARIANTS } from "../architecture/variants.ts";
import { blockRates } from "./dropPath.ts";

test("rates rise from nothing in the first block to the whole rate in the last", () => {
  const rates = blockRates(0.11, VARIANTS.nano);
  expect(rates).toHaveLength(12);
  for (const [i, rate] of rates.entries()) expect(rate).toBeCloseTo(0.01 * i, 12);
  expect(
    blockRates(0.3, { encoder: { hiddenSize: 8, numAttentionHeads: 1, numHiddenLayers: 1, mlpRatio: 4 } }),
  ).toEqual([0]);
});
