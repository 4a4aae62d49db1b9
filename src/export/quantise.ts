// Matrix products with whole numbers instead of fractions.

import type { Constant, Graph, Value } from "./graph.ts";

export type Quantiser = {
  /** x: [rows, in] -> [rows, out], or undefined where this layer stays as it is. */
  linear(graph: Graph, x: Value, name: string, layer: { weight: Constant; bias?: Constant }): Value | undefined;
};
