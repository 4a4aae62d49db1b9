// L1 and generalised-IoU loss of the matched boxes.

import * as tf from "@tensorflow/tfjs-core";
import { differentiable } from "../../ops/differentiable.ts";
import { scatterRows } from "../../ops/gather.ts";
import type { StackedOutputs } from "../outputs.ts";
import { type Matched, matchedBoxes, spreadPairs, sumPairs } from "../pairs.ts";
import { boxTerms, boxTermsGradient } from "./boxLoss.ts";
import type { Term } from "./term.ts";

export const boxes: Term = {
  losses: { loss_bbox: 5, loss_giou: 2 },
  of: (outputs, matched, divisor) => ({
    losses: tf.unstack(boxLosses(outputs, matched, divisor), 1),
  }),
};

/** [outputs, 2]: L1, then 1 - GIoU. */
function boxLosses({ boxes, queries }: StackedOutputs, matched: Matched, divisor: tf.Scalar): tf.Tensor {
  const [batch, all] = boxes.shape;
  const outputs = queries.length;
  return differentiable(
    { boxes },
    (save) => {
      const mine = matchedBoxes(boxes, matched);
      const { l1, giou } = boxTerms(mine, matched.boxes);
      save(mine, matched.boxes, matched.rows, matched.valid, divisor);
      const sums = [tf.mul(l1, matched.valid), tf.mul(tf.sub(1, giou), matched.valid)];
      return tf.stack(
        sums.map((sum) => tf.div(sumPairs(sum, outputs), divisor)),
        1,
      );
    },
    (dy, saved) => {
      const [mine, theirs, rows, valid, divisor] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const [dL1, dGiou] = tf.unstack(tf.div(dy, divisor), 1) as [tf.Tensor, tf.Tensor];
      const ofPairs = (d: tf.Tensor) => tf.mul(spreadPairs(d, valid.shape[0]!), valid);
      return {
        boxes: () => {
          const gradient = boxTermsGradient(mine, theirs, { dL1: ofPairs(dL1), dGiou: tf.neg(ofPairs(dGiou)) });
          return tf.reshape(scatterRows(gradient, rows, batch * all), [batch, all, 4]);
        },
      };
    },
  );
}
