// The mask head: a map that is refined from decoder layer to decoder layer, and of each query the weights of a linear function of
// its cells, whose value is the logit that the cell is the object's (rfdetr/models/heads/segmentation.py).

import * as tf from "@tensorflow/tfjs-core";
import { EPSILON, MASK_STRIDE } from "../../architecture/facts.ts";
import { widened } from "../../ops/bf16/linear.ts";
import { type Linear, linear, preciseLinear } from "../../ops/linear.ts";
import { type Depthwise, depthwiseConv } from "../../ops/masks/depthwise.ts";
import { layerNorm, type Norm } from "../../ops/norm.ts";
import { keepAll, type recompute } from "../../ops/recompute.ts";
import { residual } from "../../ops/residual.ts";
import { resizeMap } from "../../ops/resize/maps.ts";

type MapBlock = { depthwise: Depthwise; norm: Norm; linear: Linear };

export type MaskHead = {
  bias: tf.Tensor;
  blocks: MapBlock[];
  map: Linear;
  norm: Norm;
  linear1: Linear;
  linear2: Linear;
  query: Linear;
};

/**
 * The masks of one output, not multiplied out: map [batch, rows, columns, dim]; queries [batch, queries, dim + 1], the weights of
 * the map's channels and what is added to their sum.
 */
export type MaskOutput = { map: tf.Tensor4D; queries: tf.Tensor3D };

export type MaskInputs = {
  /** The projector's finest map, [batch, rows, columns, dim], of images of so many pixels. */
  map: tf.Tensor4D;
  image: readonly [height: number, width: number];
  /** Output of each decoder layer, [batch, queries, dim]; and what the heads of the proposals read, likewise. */
  hidden: readonly tf.Tensor[];
  proposals: tf.Tensor;
  run?: typeof recompute;
};

/** Masks of every decoder layer, in their order, and of the proposals, whose map no block refines. */
export function maskHead(
  weights: MaskHead,
  { map, image, hidden, proposals, run = keepAll }: MaskInputs,
): { layers: MaskOutput[]; encoder: MaskOutput } {
  const [height, width] = image.map((side) => Math.floor(side / MASK_STRIDE)) as [number, number];
  const first = resizeMap(map, [height, width]);
  const queries = (x: tf.Tensor) =>
    run((y) => queryWeights(weights, y!), { inputs: [x] }, queryLeaves(weights)) as tf.Tensor3D;
  let refined = first;
  const layers = hidden.map((x, i) => {
    const block = weights.blocks[i]!;
    refined = run((y) => refine(block, y as tf.Tensor4D), { inputs: [refined] }, block) as tf.Tensor4D;
    return { map: refined, queries: queries(x) };
  });
  return { layers, encoder: { map: first, queries: queries(proposals) } };
}

/** Depthwise convolution, norm, linear, GELU, around which the map goes on. x: [batch, rows, columns, dim] -> the same shape. */
function refine({ depthwise, norm, linear: mix }: MapBlock, x: tf.Tensor4D): tf.Tensor4D {
  return tf.tidy(() => {
    const here = tf.clone(x); // one use of the map a block: its gradient adds up block by block, recomputed or not
    const normalised = layerNorm(norm, depthwiseConv(depthwise, here), EPSILON.maskMap);
    return residual(here, widened(linear(mix, normalised, { activation: "gelu" }))) as tf.Tensor4D;
  });
}

const queryLeaves = ({ bias, map, norm, linear1, linear2, query }: MaskHead) => ({
  ...{ bias, map, norm, linear1, linear2, query },
});

/**
 * The reference projects map and query and takes the product of both. The map's projection is done to the query here, which is
 * the same sum: there are fewer queries than cells. x: [batch, queries, dim] -> [batch, queries, dim + 1].
 */
function queryWeights({ bias, map, norm, linear1, linear2, query }: MaskHead, x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const here = tf.clone(x); // as in `refine`
    const hidden = linear(linear1, layerNorm(norm, here, EPSILON.maskQuery), { activation: "gelu" });
    const projected = preciseLinear(query, residual(here, linear(linear2, hidden)));
    const dim = x.shape.at(-1)!;
    const [input, out] = [dim, map.weight.size / dim];
    const weight = tf.concat([tf.transpose(tf.reshape(map.weight, [input, out])), tf.reshape(map.bias, [out, 1])], 1);
    return preciseLinear({ weight, bias: tf.concat([tf.zeros([input]), bias]) }, projected);
  });
}

/** The logits of all masks. -> [batch, queries, rows, columns]. */
export function maskLogits({ map, queries }: MaskOutput): tf.Tensor4D {
  const [batch, rows, columns, dim] = map.shape;
  return tf.tidy(() => {
    const [weights, added] = tf.split(queries, [dim, 1], 2) as [tf.Tensor3D, tf.Tensor3D];
    const products = tf.matMul(weights, tf.reshape(map, [batch, rows * columns, dim]), false, true);
    return tf.reshape(tf.add(products, added), [batch, -1, rows, columns]);
  });
}
