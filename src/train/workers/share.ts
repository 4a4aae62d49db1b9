// What each of several workers computes of a step. The recipe says what a step is, whoever computes it: its images are shared out.

import { areApart, type Workers } from "../../distributed/workers.ts";
import type { Loader, LoaderShare } from "../../loading/batch/loader.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { UserError } from "../../util/errors.ts";
import type { Fact } from "../../util/text/fact.ts";
import { batchSize } from "../settings.ts";

/** A worker's part of each step: so many batches of so many images, by its place among the workers. */
export type Share = {
  batches: number;
  batchSize: number;
  /** Batches of the recipe that one of these comes to: a part of one, where a batch is divided. */
  recipeBatches: number;
  loader: LoaderShare;
};

/**
 * The batches of a step (train.grad_accum_steps) are divided among the workers, and where that leaves a rest, each batch is, too.
 * @throws UserError where the images of a step cannot be shared out evenly
 */
export function shareOf(recipe: Recipe, { rank, size }: Pick<Workers, "rank" | "size">): Share {
  const accumulated = recipe.train.grad_accum_steps;
  const together = divisor(accumulated, size);
  const parts = size / together; // of each batch
  const images = batchSize(recipe);
  if (images % parts !== 0) {
    const factor = size / divisor(accumulated * images, size);
    throw new UserError(
      `${size} workers cannot share a step evenly: it is of ${accumulated} x ${images} images (train.grad_accum_steps x data.batch_size).`,
      {
        hint: `With --set train.grad_accum_steps=${accumulated * factor} it is of ${accumulated * factor * images} images, with the same learning rate. Or take a number of workers that divides ${accumulated * images}.`,
      },
    );
  }
  const batches = accumulated / together;
  return {
    ...{ batches, batchSize: images / parts, recipeBatches: together / size },
    loader: { rank, of: size, run: batches },
  };
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/** A loader of a worker's own batches that counts in those of the recipe, of all workers. */
export function inRecipeBatches(loader: Loader, share: Share, { size }: Pick<Workers, "size">): Loader {
  if (size === 1) return loader;
  const factor = share.recipeBatches * size; // batches of the recipe that pass while this worker takes one
  return {
    ...loader,
    batches: loader.batches * factor,
    epoch: (epoch, { fromBatch = 0 } = {}) => loader.epoch(epoch, { fromBatch: fromBatch / factor }),
  };
}

/** What the workers do, for people. */
export function describeShare(
  recipe: Recipe,
  workers: Pick<Workers, "size" | "inOrder">,
  { batches, batchSize: images }: Share,
): Fact[] {
  const { size } = workers;
  if (size === 1) return [];
  const all = batchSize(recipe) * recipe.train.grad_accum_steps;
  const each = `${batches} batch${batches === 1 ? "" : "es"} of ${images}`;
  const exact = images === batchSize(recipe) && areApart(batches, workers);
  const alike = `step, learning rate and order of the images are those of one process, and so is the result ${exact ? "to the byte" : "but for rounding"}`;
  return [{ name: "Workers", value: `${size}, each computes ${each} of the ${all} images of a step; ${alike}` }];
}
