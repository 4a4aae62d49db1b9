// What heads are made of: the weights of the proposals' own, perceptrons, and how a box head's output moves a reference box (rfdetr/models/lwdetr.py).

import * as tf from "@tensorflow/tfjs-core";
import { relu } from "../../ops/activation.ts";
import { groupedLinear, type Linear, linear, preciseGroupedLinear, preciseLinear } from "../../ops/linear.ts";

/** The heads of the proposals: every leaf stacks one tensor a group on its leading axis. */
export type TwoStageHeads = { twoStageClass: Linear; twoStageBox: Linear[] };

/** Multi-layer perceptron with ReLU between its layers; the last in float32 where asked. x: [..., in] -> [..., out]. */
export function mlp(layers: Linear[], x: tf.Tensor, { precise = false } = {}): tf.Tensor {
  const last = layers.at(-1)!;
  return tf.tidy(() => {
    const hidden = layers.slice(0, -1).reduce((y, layer) => linear(layer, y, { activation: "relu" }), x);
    return precise ? preciseLinear(last, hidden) : linear(last, hidden);
  });
}

/** One perceptron a group, the last layer in float32. x: [groups, rows, in] -> [groups, rows, out]. */
export function groupedMlp(layers: Linear[], x: tf.Tensor3D): tf.Tensor3D {
  const last = layers.length - 1;
  return tf.tidy(() =>
    layers.reduce(
      (y, layer, i) => (i === last ? preciseGroupedLinear : groupedLinear)(layer, i === 0 ? y : relu(y)),
      x,
    ),
  );
}

/**
 * Move and scale boxes: the centre by delta times the box's size, the size by exp(delta).
 * delta, boxes: [..., 4], cxcywh (broadcast against each other) -> [..., 4].
 */
export function applyDelta(delta: tf.Tensor, boxes: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const [shift, growth] = tf.split(delta, 2, -1) as [tf.Tensor, tf.Tensor];
    const [centre, extent] = tf.split(boxes, 2, -1) as [tf.Tensor, tf.Tensor];
    return tf.concat([tf.add(tf.mul(shift, extent), centre), tf.mul(tf.exp(growth), extent)], -1);
  });
}
