// AddN as a chain of additions. TensorFlow's own AddN begins with an input whose memory it may reuse, so that within a function the
// order, and with it the rounding, would depend on what else is computed at the moment.

/** The sum of the inputs, associated as an eager AddN does (tensorflow/core/kernels/aggregate_ops.h). `add`: the sum of two. */
export function addInOrder<T>(inputs: readonly T[], add: (a: T, b: T) => T): T {
  const sum = (from: number, to: number) => inputs.slice(from, to).reduce((a, b) => add(a, b));
  const rest = inputs.length % 8;
  const first = rest < 2 ? rest + 8 : rest;
  let total = sum(0, first);
  for (let i = first; i < inputs.length; i += 8) total = add(total, sum(i, i + 8));
  return total;
}
