// What the workers of a training do together; for one process alone, nothing.

import type * as tf from "@tensorflow/tfjs-core";

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
  /** The sum of each tensor over all workers, the same bytes on each; `tensors` are of the same shapes everywhere and stay the caller's. */
  sumTensors(tensors: readonly tf.Tensor[]): tf.Tensor[];
  /** Vectors `[numbers]` of the same length as `[workers * numbers]`, by rank. */
  gatherNumbers(numbers: tf.Tensor1D): tf.Tensor1D;
  /** Tell the others that this one ends, and why, where they wait for it. */
  abandon(why: string): void;
};

/** A process that trains by itself. */
export const ALONE: Workers = {
  ...{ rank: 0, size: 1, isFirst: true },
  sum: (numbers) => [...numbers],
  gather: (value) => [value],
  fromFirst: <T>(value: T | undefined) => value as T,
  sumTensors: (tensors) => [...tensors],
  gatherNumbers: (numbers) => numbers,
  abandon: () => {},
};
