// A histogram of numbers.

/** `counts[i]` values lie above `limits[i - 1]` and at most at `limits[i]`, as TensorBoard has it. */
export type Histogram = {
  min: number;
  max: number;
  num: number;
  sum: number;
  sumSquares: number;
  limits: number[];
  counts: number[];
};
