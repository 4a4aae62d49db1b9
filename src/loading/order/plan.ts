// The order of a run's training images as its recipe has it: shuffled, weighted by class, with few of the images that show nothing.

import type { Sample } from "../../data/dataset/sample.ts";
import { imageWeights, type Resampling } from "../batch/resample.ts";
import { imagesOfEpoch, type OrderOptions } from "../batch/sampler.ts";

export type Ordering = Pick<OrderOptions, "batchSize" | "gradAccumSteps" | "shuffle"> & {
  resample?: Resampling | undefined;
  /** Largest share of an epoch's images that are without boxes; left out: all of them are shown. */
  negatives?: number | undefined;
};

/** What `epochOrder` needs to order these images. */
export function orderPlan(samples: readonly Sample[], { resample, negatives, ...rest }: Ordering): OrderOptions {
  return {
    ...rest,
    length: samples.length,
    weights: resample && imageWeights(resample, samples),
    negatives: negatives === undefined ? undefined : { share: negatives, images: withoutBoxes(samples) },
  };
}

/** So many different images an epoch shows at most. */
export function shownImages(samples: readonly Sample[], { negatives }: Pick<Ordering, "negatives">): number {
  const images = negatives === undefined ? undefined : { share: negatives, images: withoutBoxes(samples) };
  return imagesOfEpoch({ length: samples.length, negatives: images });
}

/** Places of the images without a box to train on. */
function withoutBoxes(samples: readonly Sample[]): number[] {
  return samples.flatMap(({ annotations }, i) => (annotations.every(({ crowd }) => crowd) ? [i] : []));
}
