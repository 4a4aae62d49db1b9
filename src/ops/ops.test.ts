import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { expectClose, expectGradients, expectNoLeak, random } from "../../tests/support/gradients.ts";
import { loadBackend } from "../engine/backend.ts";
import { gelu, relu, silu } from "./activation.ts";
import { scaledDotProduct } from "./attention.ts";
import { broadcastTo } from "./broadcast.ts";
import { conv, doubleResolution, patchEmbedding } from "./conv.ts";
import { deformableAttention, sampleMaps } from "./deformable.ts";
import { differentiable, offTape, valueAndGradients } from "./differentiable.ts";
import { gatherRows } from "./gather.ts";
import { groupedLinear, linear, project } from "./linear.ts";
import { layerNorm } from "./norm.ts";
import { resizeBicubic } from "./resize/interpolate.ts";

beforeAll(() => {
  loadBackend();
});

describe("hand-derived gradients agree with finite differences", () => {
  const cases: [string, (...inputs: tf.Tensor[]) => tf.Tensor, number[][]][] = [
    ["linear", (x, weight, bias) => linear({ weight: weight!, bias: bias! }, x!), [[2, 3, 5], [5, 7], [7]]],
    ["linear with relu", (x, weight, bias) => linear({ weight: weight!, bias: bias! }, x!, { activation: "relu" }), [[2, 3, 5], [5, 7], [7]]],
    ["project", (x, weight) => project(weight!, x!), [[2, 3, 5], [5, 7]]],
    ["groupedLinear", (x, weight, bias) => groupedLinear({ weight: weight!, bias: bias! }, x as tf.Tensor3D), [[3, 2, 5], [3, 5, 7], [3, 7]]],
    ["layerNorm", (x, weight, bias) => layerNorm({ weight: weight!, bias: bias! }, x!, 1e-6), [[2, 3, 7], [7], [7]]],
    ["layerNorm of groups", (x, weight, bias) => layerNorm({ weight: weight!, bias: bias! }, x!, 1e-6), [[3, 2, 7], [3, 1, 7], [3, 1, 7]]],
    ["gelu", (x) => gelu(x!), [[2, 3, 5]]],
    ["silu", (x) => silu(x!), [[2, 3, 5]]],
    ["relu", (x) => relu(x!), [[2, 3, 5]]],
    ["scaledDotProduct", (q, k, v) => scaledDotProduct(q!, k!, v!, 2), [[3, 5, 14], [3, 5, 14], [3, 5, 14]]],
    ["broadcastTo", (x) => broadcastTo(x!, [2, 3, 5]), [[2, 1, 5]]],
    ["conv", (x, filter) => conv(filter!, x as tf.Tensor4D), [[2, 5, 7, 3], [3, 3, 3, 4]]],
    ["strided conv", (x, filter) => conv(filter!, x as tf.Tensor4D, 2), [[2, 6, 4, 3], [3, 3, 3, 5]]],
    ["patchEmbedding", (weight, bias) => patchEmbedding({ weight: weight!, bias: bias! }, random([2, 4, 6, 3], 9) as tf.Tensor4D), [[2, 2, 3, 5], [5]]],
    ["doubleResolution", (x, weight, bias) => doubleResolution({ weight: weight!, bias: bias! }, x as tf.Tensor4D), [[2, 3, 5, 4], [4, 2, 2, 7], [7]]],
    ["resizeBicubic", (x) => resizeBicubic(x as tf.Tensor3D, [5, 3]), [[4, 6, 7]]],
    ["gatherRows", (x) => gatherRows(x!, tf.tensor2d([[0, 3, 3], [2, 0, 4]], [2, 3], "int32")), [[5, 7]]],
  ]; // biome-ignore format: one case a line
  test.each(cases)("%s", (_name, f, shapes) => {
    expectNoLeak(() => {
      const inputs = shapes.map((shape, i) => random(shape, i + 1));
      expectGradients(f, inputs);
      return inputs;
    });
  });

  test("sampleMaps, over two maps, with points outside", () => {
    const mapSizes: [number, number][] = [[4, 3], [2, 5]]; // biome-ignore format: one line
    const options = { mapSizes, heads: 2, points: 3 };
    const value = random([2, 22, 6], 1);
    // centres kept off the cell borders, where a bilinear sample has a kink
    const locations = tf.tensor(
      Array.from({ length: 2 * 4 * 2 * 2 * 3 * 2 }, (_, i) => ((i * 37) % 29) / 20 - 0.2 + 0.013),
      [2, 4, 2, 2, 3, 2],
    );
    const attention = tf.softmax(random([2, 4, 2, 6], 3));
    expectGradients((v, l, a) => sampleMaps(v!, l!, a!, options), [value, locations, attention]);
  });
});

describe("sampleMaps", () => {
  test("at a cell's centre reads that cell, and zeros beyond the border", () => {
    const value = tf.reshape(tf.range(1, 7, 1), [1, 6, 1]);
    const at = (x: number, y: number) => {
      const locations = tf.tensor([x, y], [1, 1, 1, 1, 1, 2]);
      const out = sampleMaps(value, locations, tf.ones([1, 1, 1, 1]), { mapSizes: [[2, 3]], heads: 1, points: 1 });
      return out.dataSync()[0]!;
    };
    expect(at(0.5, 0.25)).toBeCloseTo(2, 5); // row 0, column 1 of 2 x 3
    expect(at(1 / 3, 0.25)).toBeCloseTo(1.5, 5);
    expect(at(0, 0.25)).toBeCloseTo(0.5, 5); // half of it hangs over the edge
    expect(at(-0.3, 0.25)).toBe(0);
    expect(at(5, 5)).toBe(0);
  });

  test("survives coordinates that are not finite", () => {
    const locations = tf.tensor([Number.NaN, 0.5, Number.POSITIVE_INFINITY, 0.5], [1, 2, 1, 1, 1, 2]);
    const options = { mapSizes: [[2, 3]] as [number, number][], heads: 1, points: 1 };
    expect(() => sampleMaps(tf.ones([1, 6, 1]), locations, tf.ones([1, 2, 1, 1]), options).dataSync()).not.toThrow();
  });

  test("deformableAttention gives the same for a batch as for its images one by one", () => {
    const weights = (seed: number, out: number) => ({ weight: random([8, out], seed), bias: random([out], seed + 1) });
    const layer = {
      samplingOffsets: weights(1, 2 * 2 * 3 * 2),
      attentionWeights: weights(3, 2 * 2 * 3),
      value: weights(5, 8),
      output: weights(7, 8),
    };
    const query = random([2, 5, 8], 11);
    const memory = random([2, 22, 8], 12);
    const references = tf.abs(random([2, 5, 2, 4], 13, 0.4));
    const options = { mapSizes: [[4, 3], [2, 5]] as [number, number][], heads: 2, points: 3, offsetUnit: 1 / 6 }; // biome-ignore format: one line
    const both = deformableAttention(layer, query, references, memory, options);
    const one = (i: number) =>
      deformableAttention(layer, tf.slice(query, i, 1), tf.slice(references, i, 1), tf.slice(memory, i, 1), options);
    expectClose(both, tf.concat([one(0), one(1)]).dataSync(), 1e-6);
  });
});

describe("valueAndGradients", () => {
  test("gives no gradient where the loss does not depend on a leaf, and leaks nothing", () => {
    const a = tf.variable(tf.scalar(3));
    const b = tf.variable(tf.scalar(4));
    const before = tf.memory().numTensors;
    const { loss, gradients, extra } = valueAndGradients([a, b], () => {
      const square = tf.square(a);
      return { loss: tf.sum(square) as tf.Scalar, extra: { twice: tf.mul(square, 2) } };
    });
    expect(loss.dataSync()[0]).toBe(9);
    expect(gradients[0]!.dataSync()[0]).toBe(6);
    expect(gradients[1]).toBeUndefined();
    expect(extra.twice.dataSync()[0]).toBe(18);
    tf.dispose([loss, gradients[0]!, extra.twice]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("adds the gradients of a value that is used twice", () => {
    const a = tf.variable(tf.tensor1d([1, 2, 3]));
    const { gradients } = valueAndGradients([a], () => ({
      loss: tf.sum(tf.add(tf.mul(a, a), tf.mul(a, 5))) as tf.Scalar,
      extra: {},
    }));
    expect([...gradients[0]!.dataSync()]).toEqual([7, 9, 11]);
  });

  test("lets no gradient through offTape", () => {
    const a = tf.variable(tf.tensor1d([1, 2, 3]));
    const { gradients } = valueAndGradients([a], () => ({
      loss: tf.sum(tf.mul(a, offTape(() => tf.mul(a, 10)))) as tf.Scalar,
      extra: {},
    })); // biome-ignore format: short
    expect([...gradients[0]!.dataSync()]).toEqual([10, 20, 30]);
  });

  test("does not compute gradients of inputs that no leaf leads to", () => {
    const a = tf.variable(tf.scalar(2));
    const frozen = tf.scalar(5);
    let asked = false;
    const product = () =>
      differentiable(
        { a, frozen },
        (save) => {
          save(a, frozen);
          return tf.mul(a, frozen);
        },
        (dy, [, saved]) => ({
          a: () => tf.mul(dy, saved!),
          frozen: () => {
            asked = true;
            return dy;
          },
        }),
      );
    const { gradients } = valueAndGradients([a], () => ({ loss: product() as tf.Scalar, extra: {} }));
    expect(gradients[0]!.dataSync()[0]).toBe(5);
    expect(asked).toBe(false);
  });

  test("leaves the tape clean when the function throws", () => {
    const a = tf.variable(tf.scalar(2));
    const before = tf.memory().numTensors;
    const fail = () =>
      valueAndGradients([a], () => {
        tf.square(a);
        throw new Error("stop");
      });
    expect(fail).toThrow("stop");
    expect(tf.memory().numTensors).toBe(before);
    const { gradients } = valueAndGradients([a], () => ({ loss: tf.square(a) as tf.Scalar, extra: {} }));
    expect(gradients[0]!.dataSync()[0]).toBe(4);
  });
});
