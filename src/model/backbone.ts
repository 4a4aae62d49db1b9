// Windowed DINOv2 vision transformer (rfdetr/models/backbone/dinov2_with_windowed_attn.py).

import * as tf from "@tensorflow/tfjs-core";
import { EPSILON } from "../architecture/facts.ts";
import type { Architecture } from "../architecture/variants.ts";
import { type Attention, attention } from "../ops/attention.ts";
import { reshaped, widened } from "../ops/bf16/linear.ts";
import { broadcastTo } from "../ops/broadcast.ts";
import { patchEmbedding } from "../ops/conv.ts";
import { offTape } from "../ops/differentiable.ts";
import { type Linear, linear } from "../ops/linear.ts";
import { layerNorm, type Norm } from "../ops/norm.ts";
import { recompute } from "../ops/recompute.ts";
import { scaledResidual } from "../ops/residual.ts";
import { resizeBicubic } from "../ops/resize/interpolate.ts";
import { flatten } from "../util/tree.ts";

type Block = {
  norm1: Norm;
  attention: Attention;
  layerScale1: tf.Tensor; // [width]
  norm2: Norm;
  mlp: { fc1: Linear; fc2: Linear };
  layerScale2: tf.Tensor; // [width]
};

export type Backbone = {
  embeddings: {
    classToken: tf.Tensor; // [1, 1, width]
    maskToken: tf.Tensor; // [1, width]; part of every checkpoint, never used
    positionEmbeddings: tf.Tensor; // [1, 1 + positionalEncodingSize^2, width], the class token's first
    patch: Linear; // weight [patch, patch, 3, width]
  };
  blocks: Block[];
  norm: Norm;
};

/** Blocks whose attention stays inside the windows, 0-based. The others see the whole image. */
export function windowedBlocks({ outFeatureIndexes }: Architecture): Set<number> {
  const last = Math.max(...outFeatureIndexes);
  const all = Array.from({ length: last + 1 }, (_, i) => i);
  return new Set(all.filter((i) => !outFeatureIndexes.includes(i)));
}

export type BackboneOptions = {
  /** What the windows of each block's two residuals are multiplied by, [windows, 1, 1]; an empty list drops nothing. */
  dropPath?: tf.Tensor[][] | undefined;
  /** Keep only the input of each block for the gradient. */
  recomputeBlocks?: boolean | undefined;
};

/**
 * Feature maps after the selected blocks. images: [batch, height, width, 3], normalised; height and width are multiples
 * of patchSize * numWindows -> one [batch, height / patch, width / patch, width of the encoder] a selected block.
 */
export function backbone(
  weights: Backbone,
  architecture: Architecture,
  images: tf.Tensor4D,
  { dropPath, recomputeBlocks = false }: BackboneOptions = {},
): tf.Tensor4D[] {
  const { patchSize, numWindows, outFeatureIndexes, encoder } = architecture;
  const [batch, height, width] = images.shape;
  const grid: Grid = { batch, rows: height / patchSize, columns: width / patchSize, windows: numWindows };
  const windowed = windowedBlocks(architecture);
  const last = Math.max(...outFeatureIndexes); // what follows is not used
  // What lies below the first weight that trains runs off the tape, so that none of its activations are kept.
  const firstTrained = isFrozen(weights.embeddings) ? weights.blocks.findIndex((one) => !isFrozen(one)) : -1;
  const frozenBlocks = isFrozen(weights.embeddings) ? (firstTrained === -1 ? last : firstTrained) : 0;
  return tf.tidy(() => {
    const embedded = () => embed(weights.embeddings, architecture, images, grid);
    let x = isFrozen(weights.embeddings) ? offTape(embedded) : embedded(); // [batch * windows^2, 1 + patches, width]
    const maps: tf.Tensor4D[] = [];
    for (const [i, one] of weights.blocks.slice(0, last).entries()) {
      const sequences = windowed.has(i) ? undefined : batch;
      const masks = dropPath?.[i] ?? [];
      const run = (input: tf.Tensor, ...keep: tf.Tensor[]) =>
        block(one, input, { heads: encoder.numAttentionHeads, sequences, keep });
      const before = x;
      if (i < frozenBlocks) x = offTape(() => run(before, ...masks));
      else x = recomputeBlocks ? recompute(run, { inputs: [before], constants: masks }, one) : run(before, ...masks);
      if (outFeatureIndexes.includes(i + 1)) {
        const after = x;
        const tap = () => toMap(layerNorm(weights.norm, after, EPSILON.encoder), grid);
        maps.push(i < frozenBlocks && isFrozen(weights.norm) ? offTape(tap) : tap());
      }
    }
    return maps;
  });
}

function isFrozen(part: unknown): boolean {
  return !flatten<tf.Tensor>(part).some(([, leaf]) => leaf instanceof tf.Variable);
}

type BlockOptions = {
  heads: number;
  /** Attend over this many sequences instead of one a window (global attention). */
  sequences: number | undefined;
  /** What each window of the two residuals is multiplied by, where any may be dropped; [windows, 1, 1]. */
  keep: tf.Tensor[];
};

/** One transformer block. x: [windows, tokens, width] -> the same. */
function block(
  { norm1, attention: weights, layerScale1, norm2, mlp, layerScale2 }: Block,
  x: tf.Tensor,
  { heads, sequences, keep }: BlockOptions,
): tf.Tensor {
  const [windows, tokens, width] = x.shape as [number, number, number];
  return tf.tidy(() => {
    const normalised = layerNorm(norm1, x, EPSILON.encoder);
    const joined = sequences === undefined ? normalised : tf.reshape(normalised, [sequences, -1, width]);
    const attended = attention(weights, { queryKey: joined, value: joined }, heads, { narrow: true });
    const y = residual(x, reshaped(attended, [windows, tokens, width]), layerScale1, keep[0]);
    const hidden = linear(mlp.fc1, layerNorm(norm2, y, EPSILON.encoder), { activation: "gelu" });
    return residual(y, linear(mlp.fc2, hidden, { narrow: true }), layerScale2, keep[1]);
  });
}

/** x + a * scale, where `keep` says what each window of a is multiplied by, with that. x, a: [windows, tokens, width]. */
function residual(x: tf.Tensor, a: tf.Tensor, scale: tf.Tensor, keep: tf.Tensor | undefined): tf.Tensor {
  return keep ? tf.add(x, tf.mul(tf.mul(widened(a), scale), keep)) : scaledResidual(x, a, scale);
}

/** Size of the patch grid and how it is cut into windows. */
type Grid = { batch: number; rows: number; columns: number; windows: number };

function embed(
  weights: Backbone["embeddings"],
  architecture: Architecture,
  images: tf.Tensor4D,
  grid: Grid,
): tf.Tensor {
  const { batch, rows, columns, windows } = grid;
  const positions = positionEmbeddings(weights.positionEmbeddings, architecture.positionalEncodingSize, [
    rows,
    columns,
  ]);
  const patches = tf.add(patchEmbedding(weights.patch, images), tf.expandDims(positions.patches, 0));
  const classToken = tf.add(weights.classToken, positions.classToken); // [1, 1, width]
  const inWindows = toWindows(patches, grid); // [batch * windows^2, patches of a window, width]
  const classTokens = broadcastTo(classToken, [batch * windows * windows, 1, classToken.shape[2]!]);
  return tf.concat([classTokens, inWindows], 1);
}

/**
 * Position embeddings for a grid of [rows, columns] patches: the table itself where it fits, otherwise resized.
 * table: [1, 1 + size^2, width] -> patches [rows, columns, width] and classToken [1, 1, width].
 */
export function positionEmbeddings(table: tf.Tensor, size: number, [rows, columns]: [number, number]) {
  const width = table.shape[2]!;
  const classToken = tf.slice(table, [0, 0, 0], [1, 1, width]);
  const square = tf.reshape(tf.slice(table, [0, 1, 0], [1, size * size, width]), [size, size, width]) as tf.Tensor3D;
  const fits = rows === columns && rows === size;
  return { classToken, patches: fits ? square : resizeBicubic(square, [rows, columns]) };
}

/** [batch, rows, columns, width] -> [batch * windows^2, patches of a window, width]; image first, then window row, column. */
function toWindows(x: tf.Tensor, { batch, rows, columns, windows }: Grid): tf.Tensor {
  const width = x.shape[3]!;
  const cut = tf.reshape(x, [batch * windows, rows / windows, windows, (columns / windows) * width]);
  const patches = (rows / windows) * (columns / windows);
  return tf.reshape(tf.transpose(cut, [0, 2, 1, 3]), [batch * windows * windows, patches, width]);
}

/** Drops the class tokens and puts the windows together again -> [batch, rows, columns, width]. */
function toMap(x: tf.Tensor, { batch, rows, columns, windows }: Grid): tf.Tensor4D {
  const width = x.shape[2]!;
  const patches = tf.slice(x, [0, 1, 0], [-1, -1, -1]);
  const cut = tf.reshape(patches, [batch * windows, windows, rows / windows, (columns / windows) * width]);
  return tf.reshape(tf.transpose(cut, [0, 2, 1, 3]), [batch, rows, columns, width]);
}
