import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { expectClose, expectGradients, expectNoLeak, random } from "../../../tests/support/gradients.ts";
import { loadBackend } from "../../engine/backend.ts";
import { resizeMap } from "../resize/maps.ts";
import { depthwiseConv } from "./depthwise.ts";

beforeAll(() => void loadBackend());

const CASES: [string, (...inputs: tf.Tensor[]) => tf.Tensor, number[][]][] = [
  ["depthwiseConv", (x, weight, bias) => depthwiseConv({ weight: weight!, bias: bias! }, x as tf.Tensor4D), [[2, 4, 5, 3], [3, 3, 3, 1], [3]]],
  ["resizeMap, larger", (x) => resizeMap(x as tf.Tensor4D, [6, 7]), [[2, 2, 3, 3]]],
]; // biome-ignore format: one case a line

test.each(CASES)("the gradient of %s agrees with finite differences", (_name, f, shapes) => {
  expectNoLeak(() => {
    const inputs = shapes.map((shape, i) => random(shape, i + 1));
    expectGradients(f, inputs);
    return inputs;
  });
});

test("depthwiseConv is a convolution of each channel, resizeMap is as of images", () => {
  const [x, weight, bias] = [random([1, 5, 6, 2], 1) as tf.Tensor4D, random([3, 3, 2, 1], 2), random([2], 3)];
  const filters = tf.split(weight, 2, 2) as tf.Tensor4D[];
  const channels = (tf.split(x, 2, 3) as tf.Tensor4D[]).map((channel, i) => tf.conv2d(channel, filters[i]!, 1, "same"));
  expectClose(depthwiseConv({ weight, bias }, x), tf.add(tf.concat(channels, 3), bias).dataSync(), 1e-5);
  expect(resizeMap(x, [7, 9]).dataSync()).toEqual(tf.image.resizeBilinear(x, [7, 9], false, true).dataSync());
});
