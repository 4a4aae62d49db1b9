// Sigmoid, top-k, boxes in pixels and masks of pixels as operations, for those who want detections out of the file itself.

import { MOST_MASK_SIDE } from "../../onnx/format.ts";
import type { Detections } from "./decoder.ts";
import type { Graph, Value } from "./graph.ts";
import { reshape, slice } from "./layers.ts";
import type { Masks } from "./masks.ts";

/** Which of a model's labels are classes: from the first up to and with the last. The other logits are never ranked. */
export type LabelRange = { first: number; last: number };

export function labelRange(classes: readonly { label: number }[]): LabelRange {
  const labels = classes.map(({ label }) => label);
  return { first: Math.min(...labels), last: Math.max(...labels) };
}

/**
 * The `count` best query and class pairs of each image. A second input `sizes` float32 [batch, 2] gives height and width of
 * the original images, in pixels. Outputs: `boxes` float32 [batch, count, 4], xyxy in pixels, clipped to the image; `scores`
 * float32 [batch, count], falling; `labels` int64 [batch, count]; of a segmenter also `masks`, see `addMasks`.
 */
export function addDecoding(
  graph: Graph,
  { centre, extent, logits, masks }: Detections & { masks?: Masks | undefined },
  {
    images,
    queries,
    logitsPerQuery,
    range: { first, last },
    numSelect,
  }: { images: number | string; queries: number; logitsPerQuery: number; range: LabelRange; numSelect: number },
): void {
  graph.within("decode", () => {
    const sizes = graph.input("sizes", "float32", [images, 2]);
    const classes = last - first + 1;
    const count = Math.min(numSelect, queries * classes);
    const kept = classes === logitsPerQuery ? logits : slice(graph, logits, 2, first, last + 1);
    const flat = reshape(graph, kept, -1, queries * classes);
    const [best, index] = graph.ops("TopK", [flat, graph.ints(count)], { axis: 1 }, 2) as [Value, Value];
    const query = graph.op("Div", [index, graph.ints(classes)]);
    const label = graph.op("Sub", [index, graph.op("Mul", [query, graph.ints(classes)])]);
    const chosen = (values: Value) =>
      graph.op("GatherND", [values, reshape(graph, query, -1, count, 1)], { batch_dims: 1 });

    const half = graph.op("Mul", [graph.op("Relu", [extent]), graph.scalar(0.5, "float32")]);
    const corners = [graph.op("Sub", [centre, half]), graph.op("Add", [centre, half])];
    const boxes = chosen(graph.op("Concat", corners, { axis: 2 }));
    const limits = reshape(graph, graph.op("Gather", [sizes, graph.ints(1, 0, 1, 0)], { axis: 1 }), -1, 1, 4);
    const pixels = graph.op("Relu", [graph.op("Mul", [boxes, limits])]);

    graph.output(graph.op("Min", [pixels, limits]), "boxes", "float32", [images, count, 4]);
    graph.output(graph.op("Sigmoid", [best]), "scores", "float32", [images, count]);
    const shifted = first === 0 ? label : graph.op("Add", [label, graph.ints(first)]);
    graph.output(shifted, "labels", "int64", [images, count]);
    if (masks) addMasks(graph, { logits: chosen(masks.logits), side: masks.side }, { sizes, shape: [images, count] });
  });
}

/**
 * `masks` uint8 [batch, count, height, width], 1 inside. Height and width are those of the highest and of the widest image, or
 * MOST_MASK_SIDE where that is less; the mask of a smaller image begins at the first row and column, and all around it is 0.
 */
function addMasks(
  graph: Graph,
  { logits, side }: Masks,
  { sizes, shape: [images, count] }: { sizes: Value; shape: [number | string, number] },
): void {
  const own = graph.op("Min", [sizes, graph.scalar(MOST_MASK_SIDE, "float32")]); // [batch, 2]
  const [down, across] = [0, 1].map((axis) => {
    const size = reshape(graph, slice(graph, own, 1, axis, axis + 1), -1, 1, 1); // [batch, 1, 1]
    return shares(graph, size, side);
  }) as [Value, Value];
  const rows = graph.op("MatMul", [graph.op("Unsqueeze", [down, graph.ints(1)]), logits]);
  const columns = graph.op("Transpose", [graph.op("Unsqueeze", [across, graph.ints(1)])], { perm: [0, 1, 3, 2] });
  const enlarged = graph.op("MatMul", [rows, columns]);
  const inside = graph.op("Cast", [graph.op("Greater", [enlarged, graph.scalar(0, "float32")])], { to: 2 });
  graph.output(inside, "masks", "uint8", [images, count, "mask height", "mask width"]);
}

/**
 * Bilinear enlargement between cell centres along one axis, as a matrix: what share each of `cells` cells has in each pixel.
 * size: [batch, 1, 1] -> [batch, largest size, cells]; rows beyond an image's own size are 0.
 */
function shares(graph: Graph, size: Value, cells: number): Value {
  const number = (value: number) => graph.scalar(value, "float32");
  const most = graph.op("ReduceMax", [size], { keepdims: 0 });
  const pixel = reshape(graph, graph.op("Range", [number(0), most, number(1)]), 1, -1, 1);
  const centre = graph.op("Mul", [graph.op("Add", [pixel, number(0.5)]), graph.op("Div", [number(cells), size])]);
  const place = graph.op("Clip", [graph.op("Sub", [centre, number(0.5)]), number(0), number(cells - 1)]);
  const cell = { shape: [1, 1, cells], data: Float32Array.from({ length: cells }, (_, i) => i) };
  const apart = graph.op("Abs", [graph.op("Sub", [place, graph.weights("mask cells", cell, "float32")])]);
  const share = graph.op("Relu", [graph.op("Sub", [number(1), apart])]);
  const within = graph.op("Cast", [graph.op("Less", [pixel, size])], { to: 1 });
  return graph.op("Mul", [share, within]);
}
