// Batches shared out among several workers.

import { expect, test } from "vitest";
import { collectBatches as collect, treeLoaders } from "../../../tests/support/treeLoaders.ts";

const { loaderOf } = await treeLoaders();

test("batches of several workers are those of one, shared out; in evaluation, too, where they do not come out even", async () => {
  const expected = await collect(loaderOf({ gradAccumSteps: 6 }).epoch(1));
  for (const [of, run] of [
    [2, 3],
    [3, 2],
    [6, 1],
  ] as const) {
    const own = await Promise.all(
      Array.from({ length: of }, (_, rank) => collect(loaderOf({ gradAccumSteps: 6, share: { rank, of, run } }).epoch(1))),
    ); // biome-ignore format: one line
    const steps = Array.from({ length: expected.length / 6 }, (_, step) =>
      own.map((batches) => batches.slice(step * run, (step + 1) * run)),
    );
    expect(steps.flat(2)).toEqual(expected);
    const later = loaderOf({ gradAccumSteps: 6, share: { rank: 1, of, run } });
    expect(await collect(later.epoch(1, { fromBatch: run }))).toEqual(own[1]!.slice(run));
  }
  const whole = await collect(loaderOf({ training: false, augment: null }).epoch(0));
  for (const of of [2, 3, 7]) {
    const own = await Promise.all(
      Array.from({ length: of }, (_, rank) => collect(loaderOf({ training: false, augment: null, share: { rank, of, run: 1 } }).epoch(0))),
    ); // biome-ignore format: one line
    expect(whole.map((_, i) => own[i % of]![Math.floor(i / of)])).toEqual(whole);
    expect(own.flat()).toHaveLength(whole.length);
  }
}, 60_000);
