// The class head.

import { type Linear, preciseLinear } from "../../ops/linear.ts";
import type { Head } from "./head.ts";

/** `logits`: [layers, batch, queries, classes + 1]. */
export const classHead: Head<{ class: Linear }, "logits"> = (weights, { hidden }) => ({
  logits: preciseLinear(weights.class, hidden),
});
