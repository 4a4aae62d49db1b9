// Matrix products with whole numbers instead of fractions: weights of 8 bits, activations quantised as they come.

import type { Constant, Graph, Value } from "./graph.ts";

export type Quantiser = {
  /** x: [rows, in] -> [rows, out], or undefined where this layer stays as it is. */
  linear(graph: Graph, x: Value, name: string, layer: { weight: Constant; bias?: Constant }): Value | undefined;
};

/**
 * Half the range of signed bytes. Processors with AVX2 but without VNNI add two products of a byte and a signed byte in 16
 * bits, which overflow beyond it: with the full range the error is five times as large there.
 */
const MOST = 64;

/**
 * Layers whose products are worth it: those of the encoder, and the feed-forward network and values of the decoder. Left as
 * they are: the encoder's first block and the projector, whose errors go on undamped (a third of the error for a tenth of
 * the work), and what ranks proposals, places boxes and scores classes, which is little work.
 */
const CHOSEN =
  /^(backbone\.blocks\.([1-9]|\d\d+)\.(attention|mlp)\.|decoder\.values$|decoder\.layers\.\d+\.linear[12]$)/;

/**
 * Dynamic quantisation: each output column of a weight has its own scale, an activation has one for all of its numbers,
 * found when it is computed, so no calibration is needed. Operations are the standard's; onnxruntime puts them together.
 */
export function dynamicInt8(): Quantiser {
  const quantised = new Map<Value, Value[]>();
  return {
    linear(graph, x, name, { weight, bias }) {
      if (!CHOSEN.test(name)) return undefined;
      const [bytes, scale, zero] = quantised.get(x) ?? graph.ops("DynamicQuantizeLinear", [x], {}, 3);
      quantised.set(x, [bytes!, scale!, zero!]);
      const { values, scales } = toBytes(weight);
      const columns = weight.shape[1]!;
      const stored = graph.raw(`${name}.weight`, "int8", weight.shape, new Uint8Array(values.buffer));
      const sum = graph.op("Cast", [graph.op("MatMulInteger", [bytes!, stored, zero!])], { to: 1 });
      const factor = graph.op("Mul", [
        scale!,
        graph.weights(`${name}.scale`, { shape: [columns], data: scales }, "float32"),
      ]);
      const product = graph.op("Mul", [sum, factor]);
      return bias ? graph.op("Add", [product, graph.weights(`${name}.bias`, bias, "float32")]) : product;
    },
  };
}

/** weight: [in, out] -> whole numbers of the same shape, times a scale a column. */
export function toBytes({ shape, data }: Constant): { values: Int8Array; scales: Float32Array } {
  const [rows, columns] = shape as [number, number];
  const scales = new Float32Array(columns);
  for (let i = 0; i < data.length; i++) {
    const column = i % columns;
    scales[column] = Math.max(scales[column]!, Math.abs(data[i]!));
  }
  for (let column = 0; column < columns; column++) scales[column] = (scales[column]! || 1) / MOST;
  const values = new Int8Array(rows * columns);
  for (let i = 0; i < data.length; i++) values[i] = Math.round(data[i]! / scales[i % columns]!);
  return { values, scales };
}
