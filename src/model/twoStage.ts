// Two-stage proposals: every token of the encoder's memory proposes a box, the best become the decoder's references
// (rfdetr/models/transformer.py, gen_encoder_output_proposals and the group selection).

import * as tf from "@tensorflow/tfjs-core";
import { EPSILON, PROPOSAL } from "../architecture/facts.ts";
import type { MapSize } from "../ops/deformable.ts";
import { offTape } from "../ops/differentiable.ts";
import { gatherRows } from "../ops/gather.ts";
import { groupedLinear, type Linear, preciseGroupedLinear } from "../ops/linear.ts";
import { layerNorm, type Norm } from "../ops/norm.ts";
import { type Block, keepAll, type recompute } from "../ops/recompute.ts";
import { applyDelta, groupedMlp, type TwoStageHeads } from "./heads/layers.ts";

/** Every leaf stacks one tensor a group on its leading axis. */
export type TwoStage = { output: Linear; norm: Norm };

/**
 * One square proposal a token, in the middle of its cell, 0.05 * 2^level wide; all zeros where it lies too near the border
 * (not strictly inside 0.01..0.99) or in the padding. Returns host arrays: proposals [batch, tokens, 4], valid
 * [batch, tokens]. `rows` and `columns` are the counts of picture cells, [image][level].
 */
export function proposalGrid(
  mapSizes: MapSize[],
  batch: number,
  padding?: { rows: number[][]; columns: number[][]; keep: ArrayLike<number> },
): { proposals: Float32Array; valid: Float32Array } {
  const tokens = mapSizes.reduce((sum, [height, width]) => sum + height * width, 0);
  const proposals = new Float32Array(batch * tokens * 4);
  const valid = new Float32Array(batch * tokens);
  let token = 0;
  for (let image = 0; image < batch; image++) {
    for (const [level, [height, width]] of mapSizes.entries()) {
      const rows = padding?.rows[image]?.[level] ?? height;
      const columns = padding?.columns[image]?.[level] ?? width;
      const side = PROPOSAL.side * 2 ** level;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++, token++) {
          const box = [x + 0.5, y + 0.5, side, side].map(Math.fround) as [number, number, number, number];
          box[0] = Math.fround(box[0] / columns);
          box[1] = Math.fround(box[1] / rows);
          if (padding?.keep[token] === 0 || box.some((v) => !(v > PROPOSAL.low && v < PROPOSAL.high))) continue;
          proposals.set(box, token * 4);
          valid[token] = 1;
        }
      }
    }
  }
  return { proposals, valid };
}

/** `proposalGrid` on the device: proposals [batch, tokens, 4], valid [batch, tokens, 1]. */
export type Proposals = { proposals: tf.Tensor3D; valid: tf.Tensor3D };

/** Put a grid of proposals on the device; the caller owns it. */
export function uploadProposals({ proposals, valid }: ReturnType<typeof proposalGrid>, batch: number): Proposals {
  const tokens = valid.length / batch;
  return { proposals: tf.tensor3d(proposals, [batch, tokens, 4]), valid: tf.tensor3d(valid, [batch, tokens, 1]) };
}

/**
 * Select the `count` best proposals of every group. memory: [batch, tokens, dim], zeros where a proposal is invalid;
 * proposals: [batch, tokens, 4] -> logits [batch, groups * count, classes + 1] and boxes [batch, groups * count, 4], the
 * first group's first, each group's in falling order of its best class score. `hidden` makes what the heads of the proposals
 * read, [batch, groups * count, dim] in the same order, where a further head asks for it: within the tidy of this call.
 * `run`: keep all activations or recompute them.
 */
export function selectProposals(
  weights: TwoStage,
  heads: TwoStageHeads,
  memory: tf.Tensor3D,
  proposals: tf.Tensor3D,
  { count, run = keepAll }: { count: number; run?: typeof recompute },
): { logits: tf.Tensor3D; boxes: tf.Tensor3D; hidden: () => tf.Tensor3D } {
  const [batch, tokens, dim] = memory.shape;
  const groups = weights.output.weight.shape[0]!;
  const hiddenOf = (x: tf.Tensor) => {
    const { weight, bias } = weights.norm;
    const norm = { weight: tf.expandDims(weight, 1), bias: tf.expandDims(bias, 1) }; // [groups, 1, dim]
    return layerNorm(norm, groupedLinear(weights.output, x as tf.Tensor3D), EPSILON.decoder) as tf.Tensor3D;
  };
  const flat = tf.reshape(memory, [batch * tokens, dim]) as tf.Tensor2D;
  // Ranking is not differentiable, so it runs off the tape; only what was selected is computed again on it.
  const indices = offTape(() => {
    const hidden = hiddenOf(tf.expandDims(flat, 0)); // [groups, batch * tokens, dim]
    const scores = tf.reshape(tf.max(preciseGroupedLinear(heads.twoStageClass, hidden), -1), [groups, batch, tokens]);
    const firstToken = tf.reshape(tf.range(0, batch * tokens, tokens, "int32"), [1, batch, 1]);
    return tf.add(tf.topk(scores, count, true).indices, firstToken); // [groups, batch, count], rows of `flat`
  });
  const selected = tf.reshape(gatherRows(flat, indices), [groups, batch * count, dim]);
  const hidden = run(hiddenOf as Block, { inputs: [selected] }, weights) as tf.Tensor3D;
  const logits = preciseGroupedLinear(heads.twoStageClass, hidden);
  const box = (x: tf.Tensor) => groupedMlp(heads.twoStageBox, x as tf.Tensor3D);
  const deltas = run(box as Block, { inputs: [hidden] }, heads.twoStageBox);
  const anchors = tf.reshape(gatherRows(tf.reshape(proposals, [batch * tokens, 4]), indices), [
    groups,
    batch * count,
    4,
  ]);
  const merge = (x: tf.Tensor) => {
    const channels = x.shape[2]!;
    const byImage = tf.transpose(tf.reshape(x, [groups, batch, count, channels]), [1, 0, 2, 3]);
    return tf.reshape(byImage, [batch, groups * count, channels]) as tf.Tensor3D;
  };
  return { logits: merge(logits), boxes: merge(applyDelta(deltas, anchors)), hidden: () => merge(hidden) };
}
