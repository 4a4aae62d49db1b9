// Deformable decoder: queries attend to each other and read the memory at points around their reference boxes
// (rfdetr/models/transformer.py, TransformerDecoder with lite_refpoint_refine).

import * as tf from "@tensorflow/tfjs-core";
import { EPSILON, offsetUnit, SINE_ORDER, sineFrequency } from "../architecture/facts.ts";
import type { Architecture } from "../architecture/variants.ts";
import { type Attention, attention } from "../ops/attention.ts";
import { broadcastTo } from "../ops/broadcast.ts";
import { type DeformableAttention, deformableAttention, type MapSize } from "../ops/deformable.ts";
import { type Linear, linear, preciseLinear } from "../ops/linear.ts";
import { layerNorm, type Norm } from "../ops/norm.ts";
import { type Block, keepAll, type recompute } from "../ops/recompute.ts";
import { residual } from "../ops/residual.ts";
import { mlp } from "./heads/layers.ts";
import type { TwoStage } from "./twoStage.ts";

type DecoderLayer = {
  selfAttention: Attention;
  norm1: Norm;
  crossAttention: DeformableAttention;
  linear1: Linear;
  linear2: Linear;
  norm2: Norm;
  norm3: Norm;
};

export type Decoder = {
  layers: DecoderLayer[];
  norm: Norm;
  referencePointHead: Linear[];
  twoStage: TwoStage;
  queries: {
    referencePoints: tf.Tensor; // [groups * queries, 4], a delta on the proposals
    features: tf.Tensor; // [groups * queries, dim]
  };
};

/** What the decoder reads: memory [batch, tokens, dim]; keep [batch, tokens, 1]; validRatios [batch, levels, 2] as (x, y). */
export type Memory = {
  memory: tf.Tensor3D;
  mapSizes: MapSize[];
  keep?: tf.Tensor | undefined;
  validRatios?: tf.Tensor | undefined;
};

/**
 * Normalised output of every layer. features: [batch, groups * queries, dim]; references: [batch, groups * queries, 4]
 * cxcywh; queries of different groups do not see each other -> [batch, groups * queries, dim] a layer.
 */
export function decoder(
  weights: Decoder,
  architecture: Architecture,
  features: tf.Tensor3D,
  references: tf.Tensor3D,
  { memory, mapSizes, keep, validRatios }: Memory,
  { groups, run = keepAll }: { groups: number; run?: typeof recompute },
): tf.Tensor[] {
  const { hiddenDim, saNheads, caNheads, decNPoints } = architecture;
  const levels = mapSizes.length;
  return tf.tidy(() => {
    const perLevel = scaleReferences(references, levels, validRatios); // [batch, groups * queries, levels, 4]
    const firstLevel = tf.reshape(tf.slice(perLevel, [0, 0, 0, 0], [-1, -1, 1, -1]), references.shape);
    const locate = (at: tf.Tensor) => mlp(weights.referencePointHead, sineEmbedding(at, hiddenDim / 2));
    const position = run(locate as Block, { inputs: [firstLevel] }, weights.referencePointHead);
    const sampling = { mapSizes, heads: caNheads, points: decNPoints, offsetUnit: offsetUnit(decNPoints) };
    const reading = { boxes: perLevel, memory, keep, ...sampling };
    const outputs: tf.Tensor[] = [];
    let x: tf.Tensor = features;
    for (const layer of weights.layers) {
      x = decoderLayer(layer, x, position, reading, { groups, heads: saNheads, run });
      outputs.push(layerNorm(weights.norm, x, EPSILON.decoder));
    }
    return outputs;
  });
}

type Reading = {
  boxes: tf.Tensor; // [batch, queries, levels, 4]
  memory: tf.Tensor3D;
  keep: tf.Tensor | undefined;
  mapSizes: MapSize[];
  heads: number;
  points: number;
  offsetUnit: number;
};

/** Self-attention among the queries of a group, deformable attention to the memory, feed-forward. x: [batch, queries, dim]. */
function decoderLayer(
  { selfAttention, norm1, crossAttention, norm2, linear1, linear2, norm3 }: DecoderLayer,
  x: tf.Tensor,
  position: tf.Tensor,
  { boxes, memory, keep, ...sampling }: Reading,
  { groups, heads, run }: { groups: number; heads: number; run: typeof recompute },
): tf.Tensor {
  const [batch, , dim] = x.shape as [number, number, number];
  const byGroup = (t: tf.Tensor) => tf.reshape(t, [batch * groups, -1, dim]);
  return tf.tidy(() => {
    // One use of the shared positions a layer: their gradient adds up layer by layer.
    const here = tf.clone(position);
    const attend = (queries: tf.Tensor, where: tf.Tensor) => {
      const inputs = { queryKey: byGroup(residual(queries, where)), value: byGroup(queries) };
      const attended = tf.reshape(attention(selfAttention, inputs, heads), x.shape);
      return layerNorm(norm1, residual(queries, attended), EPSILON.decoder);
    };
    const read = (queries: tf.Tensor, where: tf.Tensor, at: tf.Tensor, source: tf.Tensor, picture?: tf.Tensor) => {
      const options = { ...sampling, keep: picture };
      const found = deformableAttention(crossAttention, residual(queries, where), at, source, options);
      return layerNorm(norm2, residual(queries, found), EPSILON.decoder);
    };
    const y = run(attend as Block, { inputs: [x, here] }, { selfAttention, norm1 });
    const constants = keep ? [keep] : [];
    const z = run(read as Block, { inputs: [y, here, boxes, memory], constants }, { crossAttention, norm2 });
    return layerNorm(norm3, residual(z, feedForward(linear1, linear2, z, run)), EPSILON.decoder);
  });
}

/** Hidden numbers of the feed-forward network that are computed at a time. */
const MOST_HIDDEN = 10_000_000;

/** Linear, ReLU, linear, over parts of the queries: the hidden layer is many times wider. x: [batch, queries, dim] -> the same. */
function feedForward(linear1: Linear, linear2: Linear, x: tf.Tensor, run: typeof recompute): tf.Tensor {
  const [batch, queries, dim] = x.shape as [number, number, number];
  const rows = batch * queries;
  const size = Math.ceil(rows / Math.ceil((rows * linear1.weight.shape[1]!) / MOST_HIDDEN));
  const sizes = Array.from({ length: Math.ceil(rows / size) }, (_, i) => Math.min(size, rows - i * size));
  const feed = (part: tf.Tensor) =>
    run(
      (queries) => linear(linear2, linear(linear1, queries!, { activation: "relu" })),
      { inputs: [part] },
      { linear1, linear2 },
    );
  if (sizes.length === 1) return feed(x);
  const parts = tf.split(tf.reshape(x, [rows, dim]), sizes);
  return tf.reshape(tf.concat(parts.map(feed)), x.shape);
}

/** References in the coordinates of each padded map. -> [batch, queries, levels, 4]. */
function scaleReferences(references: tf.Tensor3D, levels: number, validRatios?: tf.Tensor): tf.Tensor {
  const [batch, queries] = references.shape;
  const boxes = broadcastTo(tf.expandDims(references, 2), [batch, queries, levels, 4]);
  if (!validRatios) return boxes;
  return tf.mul(boxes, tf.expandDims(tf.concat([validRatios, validRatios], -1), 1));
}

/**
 * Sine embedding of boxes, `dim` numbers a coordinate in the order y, x, width, height; sine and cosine alternate.
 * boxes: [batch, queries, 4], cxcywh -> [batch, queries, 4 * dim].
 */
export function sineEmbedding(boxes: tf.Tensor, dim: number): tf.Tensor {
  // One matrix holds every frequency in its coordinate's row; a cosine is a sine a quarter turn ahead.
  const frequencies = new Float32Array(4 * 4 * dim);
  const phases = new Float32Array(4 * dim);
  for (const [place, coordinate] of SINE_ORDER.entries()) {
    for (let i = 0; i < dim; i++) {
      const column = place * dim + i;
      frequencies[coordinate * 4 * dim + column] = sineFrequency(Math.floor(i / 2), dim);
      phases[column] = i % 2 === 0 ? 0 : Math.PI / 2;
    }
  }
  return tf.tidy(() =>
    tf.sin(preciseLinear({ weight: tf.tensor2d(frequencies, [4, 4 * dim]), bias: tf.tensor1d(phases) }, boxes)),
  );
}
