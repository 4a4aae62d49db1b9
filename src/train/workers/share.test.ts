// How the images of a step are shared out.

import { expect, test } from "vitest";
import type { Recipe } from "../../recipe/schema.ts";
import { shareOf } from "./share.ts";

const recipe = (batch: number, accumulated: number) =>
  ({ data: { batch_size: batch }, train: { grad_accum_steps: accumulated } }) as Recipe;

test.each([
  // batch size, accumulated, workers: batches of a worker, images of each
  [4, 4, 1, 4, 4],
  [4, 4, 2, 2, 4],
  [4, 4, 4, 1, 4],
  [4, 4, 8, 1, 2],
  [4, 4, 16, 1, 1],
  [6, 2, 3, 2, 2],
  [4, 1, 2, 1, 2],
  [3, 6, 9, 2, 1],
])("%i x %i images on %i workers: %i of %i each", (size, accumulated, workers, batches, images) => {
  for (let rank = 0; rank < workers; rank++) {
    const share = shareOf(recipe(size, accumulated), { rank, size: workers });
    expect([share.batches, share.batchSize]).toEqual([batches, images]);
    expect(share.batches * share.batchSize * workers).toBe(size * accumulated);
    expect(share.recipeBatches * share.batches * workers).toBeCloseTo(accumulated);
    expect(share.loader).toEqual({ rank, of: workers, run: batches });
  }
});

test("a step that cannot be shared out evenly is refused, with one that can", () => {
  expect(() => shareOf(recipe(4, 4), { rank: 0, size: 3 })).toThrow(/3 workers cannot share .* 4 x 4 images/);
  const hint = (() => {
    try {
      shareOf(recipe(4, 4), { rank: 0, size: 3 });
    } catch (error) {
      return (error as { hint: string }).hint;
    }
  })();
  expect(hint).toMatch(/train.grad_accum_steps=12 it is of 48 images/);
  expect(shareOf(recipe(4, 12), { rank: 0, size: 3 }).batches).toBe(4);
});
