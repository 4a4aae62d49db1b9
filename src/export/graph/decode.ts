// Sigmoid, top-k and boxes in pixels as operations, for those who want detections out of the file itself.

import type { Detections } from "./decoder.ts";
import type { Graph, Value } from "./graph.ts";
import { reshape, slice } from "./layers.ts";

/** Which of a model's labels are classes: from the first up to and with the last. The other logits are never ranked. */
export type LabelRange = { first: number; last: number };

export function labelRange(classes: readonly { label: number }[]): LabelRange {
  const labels = classes.map(({ label }) => label);
  return { first: Math.min(...labels), last: Math.max(...labels) };
}

/**
 * The `count` best query and class pairs of each image. A second input `sizes` float32 [batch, 2] gives height and width of
 * the original images, in pixels. Outputs: `boxes` float32 [batch, count, 4], xyxy in pixels, clipped to the image; `scores`
 * float32 [batch, count], falling; `labels` int64 [batch, count].
 */
export function addDecoding(
  graph: Graph,
  { centre, extent, logits }: Detections,
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

    const half = graph.op("Mul", [graph.op("Relu", [extent]), graph.scalar(0.5, "float32")]);
    const corners = [graph.op("Sub", [centre, half]), graph.op("Add", [centre, half])];
    const all = graph.op("Concat", corners, { axis: 2 });
    const chosen = graph.op("GatherND", [all, reshape(graph, query, -1, count, 1)], { batch_dims: 1 });
    const limits = reshape(graph, graph.op("Gather", [sizes, graph.ints(1, 0, 1, 0)], { axis: 1 }), -1, 1, 4);
    const pixels = graph.op("Relu", [graph.op("Mul", [chosen, limits])]);

    graph.output(graph.op("Min", [pixels, limits]), "boxes", "float32", [images, count, 4]);
    graph.output(graph.op("Sigmoid", [best]), "scores", "float32", [images, count]);
    const shifted = first === 0 ? label : graph.op("Add", [label, graph.ints(first)]);
    graph.output(shifted, "labels", "int64", [images, count]);
  });
}
