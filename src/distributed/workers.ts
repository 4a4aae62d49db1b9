// What the workers of a training do together; for one process alone, nothing.

import type * as tf from "@tensorflow/tfjs-core";
import type { Recorder } from "../engine/recording/recorder.ts";

/** All workers call the same functions in the same order, and each waits until the last one has. Throws a WorkerLost where one is gone. */
export type Workers = {
  rank: number;
  size: number;
  /** Whether this one writes the run's folder. */
  isFirst: boolean;
  /** The sum of each number over all workers. Whole numbers up to 2^24, as float32 has them. */
  sum(numbers: readonly number[]): number[];
  /** What each worker gave, by rank; plain data, typed arrays and maps. */
  gather<T>(value: T): T[];
  /** What the first worker gave. */
  fromFirst<T>(value: T | undefined): T;
  /**
   * Whether `sumBatches` takes the batches one after the other as one process does, so that its bytes are those of one process as long as
   * each worker gives its batches one by one (`areApart`); else they differ by rounding.
   */
  inOrder: boolean;
  /**
   * The sum of each tensor over all batches of all workers, the same bytes on each. `batches`: of this worker, in their order, at least one,
   * or sums of them; of the same shapes everywhere, and they stay the caller's.
   */
  sumBatches(batches: readonly (readonly tf.Tensor[])[], recorder: Recorder): Promise<tf.Tensor[]>;
  /** Vectors `[numbers]` of the same length as `[workers * numbers]`, by rank. */
  gatherNumbers(numbers: tf.Tensor1D): tf.Tensor1D;
  /** Tell the others that this one ends, and why, where they wait for it. */
  abandon(why: string): void;
};

/** A process that trains by itself. */
export const ALONE: Workers = {
  ...{ rank: 0, size: 1, isFirst: true, inOrder: true },
  sum: (numbers) => [...numbers],
  gather: (value) => [value],
  fromFirst: <T>(value: T | undefined) => value as T,
  sumBatches: async ([own]) => [...own!],
  gatherNumbers: (numbers) => numbers,
  abandon: () => {},
};

/** Batches of a worker whose gradients are kept apart, at most: each takes as much memory as the weights. */
const MOST_APART = 4;

/** Whether a worker keeps the gradients of so many batches apart until they are summed up. The first one need not: it begins the sum. */
export function areApart(batches: number, { size, inOrder }: Pick<Workers, "size" | "inOrder">): boolean {
  return size > 1 && inOrder && batches <= MOST_APART;
}
