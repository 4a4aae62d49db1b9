// Rates of stochastic depth: constant over a run, rising over the encoder's blocks (rfdetr/models/lwdetr.py).

import type { Architecture } from "../architecture/variants.ts";

/** The rate of each block: 0 for the first, `rate` for the last, in equal steps between. */
export function blockRates(rate: number, { encoder }: Pick<Architecture, "encoder">): number[] {
  const blocks = encoder.numHiddenLayers;
  return Array.from({ length: blocks }, (_, i) => (blocks === 1 ? 0 : (rate * i) / (blocks - 1)));
}
