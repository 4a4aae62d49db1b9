// Where the decoder looks first: the encoder's best proposals, moved by the learned reference points, and their embedding.

import { BOX_HEAD_LAYERS, EPSILON, SINE_ORDER, sineFrequency } from "../../architecture/facts.ts";
import { proposalGrid } from "../../model/twoStage.ts";
import type { Constant, Value } from "./graph.ts";
import { rows } from "./host.ts";
import {
  type Builder,
  cast,
  firstGroup,
  type LinearConstants,
  linear,
  linearAt,
  mlp,
  normOf,
  reshape,
  slice,
  split,
} from "./layers.ts";
import type { FeatureLevel } from "./projector.ts";

/** Boxes as centre and extent, [batch, queries, 2] each, in float32 whatever the rest of the graph is in. */
export type Boxes = { centre: Value; extent: Value };

/** Centre by delta times the extent, extent by exp(delta). delta: [batch, queries, 4], float32. */
export function moved({ graph }: Builder, delta: Value, { centre, extent }: Boxes): Boxes {
  const [shift, growth] = split(graph, delta, 2, 2) as [Value, Value];
  return {
    centre: graph.op("Add", [graph.op("Mul", [shift, extent]), centre]),
    extent: graph.op("Mul", [graph.op("Exp", [growth]), extent]),
  };
}

/** The best proposals of the encoder, moved by the learned reference points. memory: [batch * tokens, dim]. */
export function propose(
  b: Builder,
  memory: Value,
  { levels, tokens, images }: { levels: readonly FeatureLevel[]; tokens: number; images: Value },
): Boxes {
  const { graph, architecture, leaf } = b;
  const { hiddenDim: dim, numQueries: queries } = architecture;
  const count = Math.min(queries, tokens);
  const group = ({ weight, bias }: LinearConstants) => ({ weight: firstGroup(weight), bias: firstGroup(bias) });
  const at = (path: string) => group(linearAt(b, path));
  const grid = proposalGrid(levels.map(({ side }) => [side, side]), 1); // biome-ignore format: one line

  const allValid = grid.valid.every((valid) => valid === 1);
  const valid = allValid
    ? memory
    : reshape(
        graph,
        graph.op("Mul", [
          reshape(graph, memory, -1, tokens, dim),
          graph.weights("twoStage.valid", { shape: [tokens, 1], data: grid.valid }),
        ]),
        -1,
        dim,
      );
  const output = linear(b, valid, "decoder.twoStage.output", at("decoder.twoStage.output"));
  const norm = { ...at("decoder.twoStage.norm"), epsilon: EPSILON.decoder };
  const hidden = normOf(graph, output, "decoder.twoStage.norm", norm);
  const logits = cast(graph, linear(b, hidden, "heads.twoStageClass", at("heads.twoStageClass")), "float32");
  const best =
    graph.opset >= 18
      ? graph.op("ReduceMax", [logits, graph.ints(1)], { keepdims: 0 })
      : graph.op("ReduceMax", [logits], { axes: [1], keepdims: 0 });
  const [, index] = graph.ops("TopK", [reshape(graph, best, -1, tokens), graph.ints(count)], { axis: 1 }, 2);

  const each = reshape(graph, index!, -1, count, 1);
  const chosen = graph.op("GatherND", [reshape(graph, hidden, -1, tokens, dim), each], { batch_dims: 1 });
  const boxHead = Array.from({ length: BOX_HEAD_LAYERS }, (_, i) => at(`heads.twoStageBox.${i}`));
  const delta = cast(graph, mlp(b, reshape(graph, chosen, -1, dim), "heads.twoStageBox", boxHead), "float32");
  const anchors = { shape: [tokens, 4], data: grid.proposals };
  const anchor = graph.op("Gather", [graph.weights("twoStage.anchors", anchors, "float32"), index!]);
  const [centre, extent] = split(graph, anchor, 2, 2) as [Value, Value];
  const proposals = moved(b, reshape(graph, delta, -1, count, 4), { centre, extent });

  const learned = rows(leaf("decoder.queries.referencePoints"), 0, queries);
  const placed = movedByLearned(b, rows(learned, 0, count), proposals);
  if (count === queries) return placed;
  // fewer proposals than queries: the rest keep their learned boxes, for each image
  const batch = slice(graph, graph.op("Shape", [images]), 0, 0, 1);
  const shape = graph.op("Concat", [batch, graph.ints(queries - count, 2)], { axis: 0 });
  const rest = (name: string, from: number) => {
    const data = columns(rows(learned, count, queries), from, 2);
    return graph.op("Expand", [graph.weights(name, data, "float32"), shape]);
  };
  return {
    centre: graph.op("Concat", [placed.centre, rest("queries.centre", 0)], { axis: 1 }),
    extent: graph.op("Concat", [placed.extent, rest("queries.extent", 2)], { axis: 1 }),
  };
}

/** The learned reference points are deltas on the proposals; their exponentials are taken here. */
function movedByLearned({ graph }: Builder, learned: Constant, { centre, extent }: Boxes): Boxes {
  const growth = columns(learned, 2, 2);
  const factor = { shape: growth.shape, data: growth.data.map(Math.exp) };
  const shift = graph.weights("queries.shift", columns(learned, 0, 2), "float32");
  return {
    centre: graph.op("Add", [graph.op("Mul", [extent, shift]), centre]),
    extent: graph.op("Mul", [extent, graph.weights("queries.growth", factor, "float32")]),
  };
}

/** Some columns of a matrix. */
function columns({ shape, data }: Constant, from: number, count: number): Constant {
  const [height, width] = shape as [number, number];
  return {
    shape: [height, count],
    data: Float32Array.from(
      { length: height * count },
      (_, i) => data[Math.floor(i / count) * width + from + (i % count)]!,
    ),
  };
}

/**
 * Sine embedding of the reference boxes and the perceptron behind it. Sines and cosines come one after the other instead of
 * alternating, and coordinates in the order x, y, width, height: the first layer's rows are put in that order.
 * -> [batch * queries, dim].
 */
export function boxPositions(b: Builder, { centre, extent }: Boxes): Value {
  const { graph, architecture } = b;
  const { hiddenDim, numQueries: queries } = architecture;
  const dim = hiddenDim / 2; // numbers a coordinate
  const pairs = dim / 2;
  const frequencies = Float32Array.from({ length: pairs }, (_, i) => sineFrequency(i, dim));
  const boxes = reshape(graph, graph.op("Concat", [centre, extent], { axis: 2 }), -1, queries, 4, 1);
  const frequency = graph.weights("frequencies", { shape: [pairs], data: frequencies }, "float32");
  const angles = graph.op("Mul", [boxes, frequency]);
  const waves = graph.op("Concat", [graph.op("Sin", [angles]), graph.op("Cos", [angles])], { axis: 3 });
  const embedding = cast(graph, reshape(graph, waves, -1, 4 * dim), "float16");

  const path = "decoder.referencePointHead";
  const [first, second] = [linearAt(b, `${path}.0`), linearAt(b, `${path}.1`)];
  const out = first.weight.shape[1]!;
  const sorted = new Float32Array(first.weight.data.length);
  for (const [place, coordinate] of SINE_ORDER.entries())
    for (let i = 0; i < dim; i++) {
      const row = place * dim + (i < pairs ? 2 * i : 2 * (i - pairs) + 1);
      sorted.set(first.weight.data.subarray(row * out, (row + 1) * out), (coordinate * dim + i) * out);
    }
  const weight = { shape: first.weight.shape, data: sorted };
  return mlp(b, embedding, path, [{ weight, bias: first.bias }, second]);
}
