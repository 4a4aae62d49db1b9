// How far the number of confident queries is from the number of boxes: measured, but no part of the loss.

import * as tf from "@tensorflow/tfjs-core";
import { offTape } from "../../ops/differentiable.ts";
import { sumQueries } from "../outputs.ts";
import type { Term } from "./term.ts";

export const cardinality: Term = {
  losses: {},
  measures: { cardinality_error: "each" },
  of: ({ logits, queries }, { targets }) => ({
    losses: [],
    measures: [
      offTape(() => {
        const confident = tf.cast(tf.greater(tf.sigmoid(tf.max(logits, 2)), 0.5), "float32");
        return tf.mean(tf.abs(tf.sub(sumQueries(confident, queries), targets)), 0);
      }),
    ],
  }),
};
