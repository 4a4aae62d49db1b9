// The fourth stage of a step: what all workers have found becomes one, the same bytes on each.

import * as tf from "@tensorflow/tfjs-core";
import type { Workers } from "../distributed/workers.ts";
import { readNow } from "../engine/backend.ts";
import type { Recorder } from "../engine/recording/recorder.ts";
import type { RfdetrWeights } from "../model/rfdetr.ts";
import type { Gradients } from "./backward.ts";
import { trainable } from "./learner.ts";

/** What a step has found: gradients, of some batches together or of each by itself, and of each batch its loss and terms. */
export type StepParts = { gradients: Gradients[]; tables: tf.Tensor[] };
export type StepSums = { gradients: Gradients; tables: tf.Tensor[] };

/**
 * Gradients summed up over all workers, in the order of the weights that train; and the tables of all batches, by worker, as one
 * vector. The gradients given are used up, the tables stay the caller's; one worker gets both back as they are.
 */
export async function reduce(
  { gradients, tables }: StepParts,
  { workers, weights, recorder }: { workers: Workers; weights: RfdetrWeights; recorder: Recorder },
): Promise<StepSums> {
  if (workers.size === 1) return { gradients: gradients[0]!, tables };
  const leaves = trainable(weights);
  const given = leaves.map(([path]) => (gradients.some((batch) => batch.has(path)) ? 1 : 0));
  const all = tf.tidy(() => workers.gatherNumbers(tf.concat1d([tf.tensor1d(given), ...(tables as tf.Tensor1D[])])));
  const together = tf.tidy(() => tf.reshape(tf.slice(tf.reshape(all, [workers.size, -1]), [0, given.length]), [-1]));
  const anywhere = given.map(() => false);
  const numbers = readNow(all);
  const width = numbers.length / workers.size;
  for (let worker = 0; worker < workers.size; worker++)
    for (const place of given.keys()) anywhere[place] ||= numbers[worker * width + place] === 1;
  all.dispose();
  const reached = leaves.filter((_, place) => anywhere[place]);
  const own = gradients.map((batch) => reached.map(([path, { shape }]) => batch.get(path) ?? tf.zeros(shape)));
  const summed = await workers.sumBatches(own, recorder);
  tf.dispose([own, gradients.map((batch) => [...batch.values()])]);
  return { gradients: new Map(reached.map(([path], i) => [path, summed[i]!])), tables: [together] };
}
