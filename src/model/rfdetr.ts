// The whole detector on one screen (rfdetr/models/lwdetr.py): encoder, projector, two-stage proposals, decoder, heads.

import * as tf from "@tensorflow/tfjs-core";
import type { Architecture } from "../architecture/variants.ts";
import { type Precision, withPrecision } from "../ops/bf16/precision.ts";
import { broadcastTo } from "../ops/broadcast.ts";
import type { MapSize } from "../ops/deformable.ts";
import { offTape } from "../ops/differentiable.ts";
import { keepAll, recompute } from "../ops/recompute.ts";
import { type Backbone, backbone } from "./backbone.ts";
import { type Decoder, decoder } from "./decoder.ts";
import { joinOutputs } from "./heads/head.ts";
import { applyDelta } from "./heads/layers.ts";
import { HEADS, type Heads } from "./heads/list.ts";
import { type MaskOutput, maskHead } from "./heads/masks.ts";
import type { Padding } from "./padding.ts";
import { type Projector, projector } from "./projector.ts";
import { proposalGrid, selectProposals, uploadProposals } from "./twoStage.ts";

/** The weight tree. A tf.Variable trains, a tf.Tensor is frozen. */
export type RfdetrWeights = { backbone: Backbone; projector: Projector; decoder: Decoder; heads: Heads };

/**
 * logits: [batch, queries, classes + 1]; boxes: [batch, queries, 4], normalised cxcywh, neither clipped nor squashed; masks, of a
 * segmenter. What further heads give stands beside them under its own name.
 */
export type Outputs = { logits: tf.Tensor3D; boxes: tf.Tensor3D; masks?: MaskOutput };

/** `layers`: one a decoder layer, the last is the prediction. `encoder`: the two-stage proposals, maybe fewer queries. */
export type Detections = { layers: Outputs[]; encoder: Outputs };

/** Which activations are computed again in the backward pass instead of being kept. */
export type Checkpointing = "none" | "backbone" | "decoder" | "all";

export type ForwardOptions = {
  /** All query groups run, and blocks are dropped. */
  training: boolean;
  /** Where images are padded (`uploadPadding`). */
  padding?: Padding | undefined;
  dropPath?: tf.Tensor[][] | undefined;
  checkpointing?: Checkpointing | undefined;
  /** What products are computed in; default float32. */
  precision?: Precision | undefined;
};

/**
 * Detect objects. images: [batch, height, width, 3], RGB, normalised; both sides are multiples of patchSize * numWindows.
 * In training all query groups run and queries are groups * numQueries, otherwise the first group alone.
 * The caller owns the result.
 */
export function rfdetr(
  weights: RfdetrWeights,
  architecture: Architecture,
  images: tf.Tensor4D,
  { training, padding, dropPath, checkpointing = "none", precision = "none" }: ForwardOptions,
): Detections {
  const run = () => {
    const features = backbone(weights.backbone, architecture, images, {
      dropPath: training ? dropPath : undefined,
      recomputeBlocks: checkpointing === "backbone" || checkpointing === "all",
    });
    const maps = projector(weights.projector, architecture, features);
    const [, height, width] = images.shape;
    return detect(weights, architecture, maps, { training, padding, checkpointing, image: [height, width] });
  };
  return tf.tidy(() => withPrecision(precision, run));
}

/** The part behind the projector. maps: [batch, rows, columns, dim] a level. */
function detect(
  weights: RfdetrWeights,
  architecture: Architecture,
  maps: tf.Tensor4D[],
  {
    training,
    padding,
    checkpointing,
    image,
  }: Pick<ForwardOptions, "training" | "checkpointing"> & {
    padding: Padding | undefined;
    image: readonly [height: number, width: number];
  },
): Detections {
  const { hiddenDim: dim, decLayers } = architecture;
  const batch = maps[0]!.shape[0];
  const groups = training ? architecture.groupDetr : 1;
  const run = checkpointing === "decoder" || checkpointing === "all" ? recompute : keepAll;
  const total = groups * architecture.numQueries;
  const mapSizes = maps.map(({ shape }) => [shape[1], shape[2]] as MapSize);
  const memory = tf.concat(maps.map((map) => tf.reshape(map, [batch, -1, dim])), 1) as tf.Tensor3D; // biome-ignore format: one line
  const tokens = memory.shape[1];

  // proposals of the encoder: [batch, groups * min(queries, tokens), ...]
  const { proposals, valid } = padding ?? uploadProposals(proposalGrid(mapSizes, batch), batch); // the shape's alone
  const validMemory = tf.mul(memory, valid) as tf.Tensor3D;
  const { twoStage, queries } = weights.decoder;
  const {
    logits,
    boxes,
    hidden: proposalHidden,
  } = selectProposals(
    { output: firstGroups(twoStage.output, groups), norm: firstGroups(twoStage.norm, groups) },
    {
      twoStageClass: firstGroups(weights.heads.twoStageClass, groups),
      twoStageBox: weights.heads.twoStageBox.map((layer) => firstGroups(layer, groups)),
    },
    validMemory,
    proposals,
    { count: Math.min(architecture.numQueries, tokens), run },
  );

  // Proposals fill the first queries on the flat axis; where there are fewer, the rest keep their learned boxes. As in the
  // reference, groups are then no longer aligned with their proposals.
  const proposed = boxes.shape[1];
  const learned = tf.expandDims(tf.slice(queries.referencePoints, [0, 0], [total, 4]), 0); // [1, groups * queries, 4]
  const placed = applyDelta(
    tf.slice(learned, [0, 0, 0], [1, proposed, 4]),
    offTape(() => boxes.clone()),
  );
  const rest = broadcastTo(tf.slice(learned, [0, proposed, 0], [1, -1, 4]), [batch, total - proposed, 4]);
  const references = (proposed === total ? placed : tf.concat([placed, rest], 1)) as tf.Tensor3D;
  const features = broadcastTo(tf.expandDims(tf.slice(queries.features, [0, 0], [total, dim]), 0), [batch, total, dim]);

  const hidden = decoder(
    weights.decoder,
    architecture,
    features as tf.Tensor3D,
    references,
    { memory, mapSizes, keep: padding?.keep, validRatios: padding?.validRatios },
    { groups, run },
  );
  const stacked = tf.stack(hidden); // [layers, batch, groups * queries, dim]
  const outputs = joinOutputs(HEADS.map((head) => head(weights.heads, { hidden: stacked, references, run })));
  const byLayer = Object.entries(outputs).map(([name, output]) => [name, unstackLayers(output)] as const);
  const layers = Array.from(
    { length: decLayers },
    (_, i) => Object.fromEntries(byLayer.map(([name, output]) => [name, output[i]!])) as unknown as Outputs,
  );
  if (!weights.heads.mask) return { layers, encoder: { logits, boxes } };
  const masks = maskHead(weights.heads.mask, { map: maps[0]!, image, hidden, proposals: proposalHidden(), run });
  return {
    layers: layers.map((output, i) => ({ ...output, masks: masks.layers[i]! })),
    encoder: { logits, boxes, masks: masks.encoder },
  };
}

/** [layers, ...] -> [...] for each layer. Of one layer the library's gradient of `unstack` fails. */
function unstackLayers(output: tf.Tensor): tf.Tensor[] {
  return output.shape[0] === 1 ? [tf.reshape(output, output.shape.slice(1))] : tf.unstack(output);
}

/** The first groups of a layer whose leaves stack one tensor a group. */
function firstGroups({ weight, bias }: { weight: tf.Tensor; bias: tf.Tensor }, groups: number) {
  if (weight.shape[0] === groups) return { weight, bias };
  const cut = (x: tf.Tensor) => tf.slice(x, 0, groups);
  return { weight: cut(weight), bias: cut(bias) };
}
