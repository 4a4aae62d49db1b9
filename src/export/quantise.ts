// Matrix products with whole numbers instead of fractions: weights of 8 bits, activations quantised by ranges that were
// measured before, or as they come.

import type { Constant, Graph, Value } from "./graph/graph.ts";

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
      const { values, scales } = toInt8(weight);
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

/** The numbers that an activation takes. */
export type Range = { min: number; max: number };

/** Ranges of what goes into each quantised layer, by the layer's name. */
export type Ranges = ReadonlyMap<string, Range>;

/**
 * Static quantisation: the scale of each activation was measured before on images, so that none has to be found while the
 * model runs. Numbers beyond a range count as its end. Products are an operation of onnxruntime's.
 */
export function staticInt8(ranges: Ranges): Quantiser {
  const quantised = new Map<Value, Value[]>();
  return {
    linear(graph, x, name, { weight, bias }) {
      const range = ranges.get(name);
      if (!CHOSEN.test(name) || !range) return undefined;
      const quantise = () => {
        const [min, max] = [Math.min(0, range.min), Math.max(0, range.max)]; // zero is a whole number exactly
        const step = (max - min) / 255 || 1;
        const [scale, zero] = [graph.scalar(step, "float32"), Uint8Array.of(Math.round(-min / step))];
        const place = graph.raw(`${name}.zero`, "uint8", [], zero);
        return [graph.op("QuantizeLinear", [x, scale, place]), scale, place];
      };
      const [bytes, scale, zero] = quantised.get(x) ?? quantise();
      quantised.set(x, [bytes!, scale!, zero!]);
      const { values, scales } = toInt8(weight);
      const stored = graph.raw(`${name}.weight`, "int8", weight.shape, new Uint8Array(values.buffer));
      const own = graph.weights(`${name}.scale`, { shape: [weight.shape[1]!], data: scales }, "float32");
      const added = bias ? ["", graph.weights(`${name}.bias`, bias, "float32")] : [];
      return graph.op("MatMulIntegerToFloat", [bytes!, stored, scale!, own, zero!, ...added]);
    },
  };
}

/**
 * Quantises nothing: the graph gets the least and the largest number that goes into each of the chosen layers as outputs,
 * and `layers` fills with the name of each layer and that of its outputs, less ".min" and ".max".
 */
export function rangeRecorder(): Quantiser & { layers: Map<string, string> } {
  const layers = new Map<string, string>();
  const seen = new Map<Value, string>();
  return {
    layers,
    linear(graph, x, name) {
      if (!CHOSEN.test(name)) return undefined;
      const output = seen.get(x) ?? `range ${seen.size}`;
      if (!seen.has(x)) {
        graph.output(graph.op("ReduceMin", [x], { keepdims: 0 }), `${output}.min`, "float32", []);
        graph.output(graph.op("ReduceMax", [x], { keepdims: 0 }), `${output}.max`, "float32", []);
      }
      seen.set(x, output);
      layers.set(name, output);
      return undefined;
    },
  };
}

/** weight: [in, out] -> whole numbers of the same shape, times a scale a column. */
export function toInt8({ shape, data }: Constant): { values: Int8Array; scales: Float32Array } {
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
