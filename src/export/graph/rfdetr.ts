// The whole detector as an ONNX graph, from its weights in host memory.

import type { Architecture } from "../../architecture/variants.ts";
import type { Leaf } from "../../util/hostTensor.ts";
import type { Quantiser } from "../quantise.ts";
import { backbone } from "./backbone.ts";
import { addDecoding, type LabelRange } from "./decode.ts";
import { detect } from "./decoder.ts";
import { createGraph, type Graph } from "./graph.ts";
import { type Builder, cast } from "./layers.ts";
import { masks } from "./masks.ts";
import { type FeatureLevel, projector } from "./projector.ts";

export type GraphSettings = {
  /** Version of the standard's operations. */
  opset: 17 | 18;
  /** Images a run: a number, or any number of them. */
  batch: number | "dynamic";
  /** Use operations that only onnxruntime has. */
  fused: boolean;
  floats: "float32" | "float16";
  /** Detections instead of logits and boxes come out of the file, see decode.ts; `labels` are those to rank. */
  decode?: LabelRange | undefined;
  quantiser?: Quantiser | undefined;
  /** Give the projector's output, too, as `memory.0`, ...: [batch, side, side, dim] a level. For measurements. */
  memory?: boolean | undefined;
};

/**
 * The evaluation forward of a detector. Input `images` [batch, 3, resolution, resolution], RGB, normalised; the outputs are
 * those of the reference's own export: `dets` [batch, queries, 4], normalised cxcywh, `labels` [batch, queries, classes + 1],
 * logits, and of a segmenter `masks` [batch, queries, resolution / 4, resolution / 4], logits.
 */
export function buildGraph(
  leaves: ReadonlyMap<string, Leaf>,
  architecture: Architecture,
  { opset, batch, fused, floats, decode, quantiser, memory }: GraphSettings,
): Graph {
  const graph = createGraph({ opset, floats });
  const b: Builder = {
    graph,
    architecture,
    fused,
    quantiser,
    leaf: (path) => {
      const found = leaves.get(path);
      if (!found) throw new Error(`the weight tree lacks ${path}`);
      return found;
    },
  };
  const { resolution: side, numQueries: queries, numClasses, numSelect } = architecture;
  const images = batch === "dynamic" ? "batch" : batch;
  const input = graph.input("input", "float32", [images, 3, side, side]);
  const maps = projector(b, backbone(b, cast(graph, input, "float16")));
  if (memory) addMemory(b, maps, images);
  const found = detect(b, maps, input);
  const drawn = architecture.segmentationHead ? masks(b, { map: maps[0]!, hidden: found.hidden }) : undefined;
  if (decode) {
    addDecoding(
      graph,
      { ...found, masks: drawn },
      { images, queries, logitsPerQuery: numClasses + 1, range: decode, numSelect },
    );
    return graph;
  }
  const boxes = graph.op("Concat", [found.centre, found.extent], { axis: 2 });
  graph.output(boxes, "dets", "float32", [images, queries, 4]);
  graph.output(found.logits, "labels", "float32", [images, queries, numClasses + 1]);
  if (drawn) graph.output(drawn.logits, "masks", "float32", [images, queries, drawn.side, drawn.side]);
  return graph;
}

function addMemory({ graph, architecture }: Builder, maps: readonly FeatureLevel[], images: number | string): void {
  for (const [i, { value, side }] of maps.entries()) {
    const copy = graph.op("Cast", [value], { to: 1 });
    graph.output(copy, `memory.${i}`, "float32", [images, side, side, architecture.hiddenDim]);
  }
}
