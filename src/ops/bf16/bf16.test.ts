import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { expectNoLeak, random } from "../../../tests/support/gradients.ts";
import { isBfloat16, loadBackend } from "../../engine/backend.ts";
import { withPlainOperations } from "../../engine/ownKernels.ts";
import { type Attention, attention } from "../attention.ts";
import { conv, doubleResolution, patchEmbedding } from "../conv.ts";
import { valueAndGradients } from "../differentiable.ts";
import { groupedLinear, linear, preciseLinear, project } from "../linear.ts";
import { recompute } from "../recompute.ts";
import { scaledResidual } from "../residual.ts";
import { reshaped } from "./linear.ts";
import { type Precision, withPrecision } from "./precision.ts";
import { asBf16, asFloat32 } from "./tensors.ts";

beforeAll(() => {
  loadBackend();
});

type Op = (...inputs: tf.Tensor[]) => tf.Tensor;
const layer = (weight: tf.Tensor | undefined, bias: tf.Tensor | undefined) => ({ weight: weight!, bias: bias! });

const attend: Op = (x, y, ...w) => {
  const weights: Attention = { query: layer(w[0], w[4]), key: layer(w[1], w[4]), value: layer(w[2], w[4]), output: layer(w[3], w[4]) }; // biome-ignore format: one line
  return attention(weights, { queryKey: x!, value: y! }, 2);
};
const perceptron: (activation: "relu" | "gelu") => Op = (activation) => (x, w, b, v, c) =>
  linear(layer(v, c), linear(layer(w, b), x!, { activation }));
const SQUARE = [12, 12];

const cases: [string, Op, number[][]][] = [
  ["linear", (x, w, b) => linear(layer(w, b), x!), [[2, 70, 50], [50, 37], [37]]],
  ["two layers and a ReLU", perceptron("relu"), [[2, 70, 20], [20, 50], [50], [50, 19], [19]]],
  ["two layers and a GELU", perceptron("gelu"), [[2, 70, 20], [20, 50], [50], [50, 19], [19]]],
  ["a precise layer last", (x, w, b, v, c) => preciseLinear(layer(v, c), linear(layer(w, b), x!, { activation: "relu" })), [[9, 20], [20, 50], [50], [50, 4], [4]]],
  ["project", (x, w) => project(w!, x!), [[2, 3, 5, 20], [20, 7]]],
  ["groupedLinear", (x, w, b) => groupedLinear(layer(w, b), x as tf.Tensor3D), [[3, 8, 20], [3, 20, 7], [3, 7]]],
  ["attention", attend, [[3, 35, 12], [3, 35, 12], SQUARE, SQUARE, SQUARE, SQUARE, [12]]],
  ["recomputed attention", (x, y, ...w) => recompute((a, b) => attend(a!, b!, ...w), { inputs: [x!, y!] }, w), [[3, 35, 12], [3, 35, 12], SQUARE, SQUARE, SQUARE, SQUARE, [12]]],
  ["a scaled residual", (x, w, b, scale) => scaledResidual(x!, reshaped(linear(layer(w, b), x!, { narrow: true }), [2, 35, 20]), scale!), [[2, 35, 20], [20, 20], [20], [20]]],
  ["conv", (x, filter) => conv(filter!, x as tf.Tensor4D), [[2, 5, 7, 3], [3, 3, 3, 4]]],
  ["strided conv", (x, filter) => conv(filter!, x as tf.Tensor4D, 2), [[2, 6, 4, 3], [3, 3, 3, 5]]],
  ["patchEmbedding", (w, b) => patchEmbedding(layer(w, b), random([2, 4, 6, 3], 9) as tf.Tensor4D), [[2, 2, 3, 5], [5]]],
  ["doubleResolution", (x, w, b) => doubleResolution(layer(w, b), x as tf.Tensor4D), [[2, 3, 5, 4], [4, 2, 2, 7], [7]]],
]; // biome-ignore format: a case a line

/** The output, and the gradient of each input of a weighted sum of it. */
function run(op: Op, shapes: number[][], precision: Precision): tf.Tensor[] {
  const inputs = shapes.map((shape, i) => tf.tidy(() => tf.variable(random(shape, i + 1, 0.5))));
  const { loss, extra, gradients } = valueAndGradients(inputs, () => {
    const y = withPrecision(precision, () => op(...inputs));
    expect(isBfloat16(y)).toBe(false);
    return { loss: tf.sum(tf.mul(y, random(y.shape, 77))) as tf.Scalar, extra: { y } };
  });
  tf.dispose([loss, ...inputs]);
  return [extra.y, ...(gradients as tf.Tensor[])];
}

/** The root of the mean square of the difference as a share of that of the numbers. */
const distance = (a: tf.Tensor, b: tf.Tensor) =>
  tf.tidy(() => Math.sqrt(tf.div(tf.sum(tf.square(tf.sub(a, b))), tf.sum(tf.square(b))).dataSync()[0]!));

describe("in bfloat16", () => {
  test.each(cases)("%s: values and gradients are those of float32, rounded to eight bits", (_, op, shapes) => {
    const expected = run(op, shapes, "none");
    for (const through of [withPlainOperations, <T>(f: () => T) => f()]) {
      const got = through(() => run(op, shapes, "bf16"));
      for (const [i, one] of got.entries()) {
        expect(one.shape).toEqual(expected[i]!.shape);
        expect(distance(one, expected[i]!), `result ${i}`).toBeLessThan(0.06); // a ReLU may be on the other side of zero
      }
      expect(Math.max(...got.map((one, i) => distance(one, expected[i]!)))).toBeGreaterThan(1e-4);
      tf.dispose(got);
    }
    tf.dispose(expected);
    expectNoLeak(() => run(op, shapes, "bf16"));
  });
});

test("a tensor of bfloat16 is neither read nor computed with by mistake", () => {
  const x = asBf16(tf.tensor1d([1, 2.0078125, Number.NaN]));
  expect(isBfloat16(x)).toBe(true);
  expect(() => x.dataSync()).toThrow();
  expect(() => tf.add(x, 1)).toThrow();
  expect(() => tf.matMul(tf.ones([3, 3]), x as tf.Tensor2D)).toThrow();
  expect([...asFloat32(x).dataSync()]).toEqual([1, 2, Number.NaN]);
});
