// The class loss of every query, and how many of the matched ones have another class on top.

import * as tf from "@tensorflow/tfjs-core";
import { differentiable, offTape } from "../../ops/differentiable.ts";
import { take } from "../../ops/gather.ts";
import { type StackedOutputs, spreadQueries, sumQueries } from "../outputs.ts";
import { type Matched, sumPairs } from "../pairs.ts";
import { classTerms, classTermsGradient } from "./classLoss.ts";
import type { Term } from "./term.ts";

export const classes: Term = {
  losses: { loss_ce: 1 },
  measures: { class_error: "last" },
  of: (outputs, matched, divisor) => ({
    losses: [classLoss(outputs, matched, divisor)],
    measures: [offTape(() => classError(outputs, matched))],
  }),
};

/** [outputs]. The pairs and the IoU of their boxes, which decides what a logit is drawn to, are constants. */
function classLoss({ logits, queries }: StackedOutputs, matched: Matched, divisor: tf.Scalar): tf.Tensor {
  const { entries, valid, iou } = matched;
  const all = logits.shape[1];
  return differentiable(
    { logits },
    (save) => {
      const { p, leave, dense, correction } = classTerms(logits, { entries, valid, iou });
      save(logits, p, leave, iou, entries, valid, divisor);
      const unmatched = tf.sum(sumQueries(tf.sum(dense, 2), queries), 0); // [outputs]
      return tf.div(tf.add(unmatched, sumPairs(correction, queries.length)), divisor);
    },
    (dy, saved) => {
      const [x, p, leave, iou, entries, valid, divisor] = saved as Saved;
      return {
        logits: () => {
          const gradient = classTermsGradient(x, p, leave, { entries, iou, valid });
          return tf.mul(gradient, tf.reshape(spreadQueries(tf.div(dy, divisor), queries), [1, all, 1]));
        },
      };
    },
  );
}

type Saved = [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];

/** [outputs]: percent of the last layer's matched queries whose top class is another (100 when none is matched); else 0. */
function classError({ logits, queries }: StackedOutputs, matched: Matched): tf.Tensor {
  const outputs = queries.length;
  const last = outputs - 2; // the encoder's output comes after it
  const width = matched.rows.shape[0]! / outputs;
  const [rows, entries, valid] = [matched.rows, matched.entries, matched.valid].map((x) =>
    tf.slice(x, [last * width], [width]),
  ) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const count = logits.shape[2];
  const top = tf.argMax(take(tf.reshape(logits, [-1, count]), rows), 1);
  const right = tf.equal(tf.add(tf.mul(rows, tf.scalar(count, "int32")), top), entries);
  const share = tf.div(tf.sum(tf.mul(tf.cast(right, "float32"), valid)), matched.ofLastLayer);
  const error = tf.sub(100, tf.mul(share, 100));
  return tf.pad(tf.reshape(error, [1]), [[last, outputs - 1 - last]]);
}
