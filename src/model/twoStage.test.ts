import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { expectClose, random } from "../../tests/support/gradients.ts";
import { loadBackend } from "../engine/backend.ts";
import { linear } from "../ops/linear.ts";
import { selectProposals } from "./twoStage.ts";

beforeAll(() => void loadBackend());

test("the hidden rows of the chosen proposals are those that their logits come from, and are made only when asked for", () => {
  const [batch, tokens, dim, groups, count, classes] = [2, 6, 4, 3, 2, 5];
  const layer = (out: number, seed: number) => ({ weight: random([groups, dim, out], seed), bias: random([groups, out], seed + 1) }); // biome-ignore format: one line
  const norm = { weight: tf.ones([groups, dim]), bias: tf.zeros([groups, dim]) };
  const heads = { twoStageClass: layer(classes, 1), twoStageBox: [layer(4, 3)] };
  const memory = random([batch, tokens, dim], 5) as tf.Tensor3D;
  const proposals = tf.fill([batch, tokens, 4], 0.5) as tf.Tensor3D;
  tf.tidy(() => {
    const selected = selectProposals({ output: layer(dim, 7), norm }, heads, memory, proposals, { count });
    const { numDataBuffers } = tf.memory();
    const hidden = selected.hidden();
    expect(tf.memory().numDataBuffers).toBeGreaterThan(numDataBuffers);
    expect(hidden.shape).toEqual([batch, groups * count, dim]);
    for (let group = 0; group < groups; group++) {
      const own = (x: tf.Tensor) => tf.slice(x, [0, group * count, 0], [-1, count, -1]);
      const of = (x: tf.Tensor) => tf.squeeze(tf.slice(x, group, 1), [0]);
      const { weight, bias } = heads.twoStageClass;
      const logits = linear({ weight: of(weight), bias: of(bias) }, own(hidden));
      expectClose(logits, own(selected.logits).dataSync(), 1e-6);
    }
  });
});
