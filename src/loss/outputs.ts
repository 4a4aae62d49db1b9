// What the loss reads of the network: the outputs of all layers side by side, and sums over the queries of each.

import * as tf from "@tensorflow/tfjs-core";
import type { MaskOutput } from "../model/heads/masks.ts";
import type { Detections } from "../model/rfdetr.ts";
import { take } from "../ops/gather.ts";

/**
 * Outputs side by side on the query axis, the decoder's layers in their order and the encoder's proposals last:
 * logits [batch, all queries, classes + 1], boxes [batch, all queries, 4] normalised cxcywh, `queries` of each output.
 * `heads`: what further heads give of the decoder's layers alone, [batch, queries of the layers, ...], by name. `masks` of each
 * output, where the model is a segmenter; else none.
 */
export type StackedOutputs = {
  logits: tf.Tensor3D;
  boxes: tf.Tensor3D;
  queries: number[];
  heads: Record<string, tf.Tensor>;
  masks: MaskOutput[];
};

/** The outputs of all layers side by side; the caller owns them. */
export function stack({ layers, encoder }: Detections): StackedOutputs {
  const outputs = [...layers, encoder];
  const { logits: _, boxes: __, masks: ___, ...heads } = layers[0]!;
  const side = (name: string, of: readonly object[]) =>
    tf.concat(of.map((output) => (output as Record<string, tf.Tensor>)[name]!), 1); // biome-ignore format: one line
  return {
    logits: side("logits", outputs) as tf.Tensor3D,
    boxes: side("boxes", outputs) as tf.Tensor3D,
    queries: outputs.map(({ logits }) => logits.shape[1]),
    heads: Object.fromEntries(Object.keys(heads).map((name) => [name, side(name, layers)])),
    masks: outputs.flatMap(({ masks }) => (masks ? [masks] : [])),
  };
}

/** [batch, all queries] -> [batch, outputs]: sums over the queries of each output. */
export function sumQueries(x: tf.Tensor, queries: readonly number[]): tf.Tensor {
  const batch = x.shape[0]!;
  if (queries.every((count) => count === queries[0])) {
    return tf.sum(tf.reshape(x, [batch, queries.length, queries[0]!]), 2);
  }
  return tf.stack(
    tf.split(x, [...queries], 1).map((part) => tf.sum(part, 1)),
    1,
  );
}

/** [outputs] -> [all queries]: the value of each query's output. */
export function spreadQueries(x: tf.Tensor, queries: readonly number[]): tf.Tensor {
  return take(x, tf.tensor1d(Int32Array.from(queries.flatMap((count, output) => Array<number>(count).fill(output)))));
}
