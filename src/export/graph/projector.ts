// The projector as operations, channels last; only convolutions see channels first.

import { BOTTLENECKS, EPSILON } from "../../architecture/facts.ts";
import { permute } from "../../util/arrays/permute.ts";
import { windowsOf } from "./backbone.ts";
import type { Value } from "./graph.ts";
import { type Builder, linear, linearAt, norm, project, reshape, silu, split, transpose } from "./layers.ts";

/** A map on one level of the pyramid: [batch, side, side, width]. */
export type FeatureLevel = { value: Value; side: number };

/** maps: [batch * windows^2, inner^2, width of the encoder] each -> one [batch, side, side, dim] a level. */
export function projector(b: Builder, maps: readonly Value[]): FeatureLevel[] {
  const { graph, architecture } = b;
  const { projectorScale: scales, encoder, hiddenDim: dim } = architecture;
  const made = scales.filter((scale) => scale !== "P6");
  const levels = made.map((scale, i): FeatureLevel => {
    const path = `projector.levels.${i}`;
    return graph.within(path, () => {
      if (scale === "P4") {
        // the first layer works on single cells, so it can come before the windows are joined
        const all = maps.length === 1 ? maps[0]! : graph.op("Concat", [...maps], { axis: 2 });
        const flat = reshape(graph, all, -1, maps.length * encoder.hiddenSize);
        const value = joinWindows(b, cellwise(b, flat, `${path}.fuse.input`), dim);
        return fuse(b, path, { value, side: windowsOf(architecture).side });
      }
      const sampled = maps.map((map, j) =>
        graph.within(`sampling.${j}`, () =>
          scale === "P3" ? doubled(b, map, `${path}.sampling.${j}`) : halved(b, map, `${path}.sampling.${j}`),
        ),
      );
      const { side, width } = sampled[0]!;
      const all = sampled.length === 1 ? sampled[0]!.value : graph.op("Concat", sampled.map(({ value }) => value), { axis: 3 }); // biome-ignore format: one line
      const flat = reshape(graph, all, -1, maps.length * width);
      const value = reshape(graph, cellwise(b, flat, `${path}.fuse.input`), -1, side, side, dim);
      return fuse(b, path, { value, side });
    });
  });
  if (scales.includes("P6")) levels.push(everySecond(b, levels.at(-1)!));
  return levels;
}

/** Cross-stage partial block after its first layer, and the level's norm. */
function fuse(b: Builder, path: string, { value, side }: FeatureLevel): FeatureLevel {
  const { graph, architecture } = b;
  const dim = architecture.hiddenDim;
  const parts = split(graph, value, 3, 2);
  for (let i = 0; i < BOTTLENECKS; i++) {
    const first = convNorm(b, parts.at(-1)!, `${path}.fuse.bottlenecks.${i}.0`);
    parts.push(convNorm(b, first, `${path}.fuse.bottlenecks.${i}.1`));
  }
  const all = reshape(graph, graph.op("Concat", parts, { axis: 3 }), -1, ((2 + BOTTLENECKS) * dim) / 2);
  const out = norm(b, cellwise(b, all, `${path}.fuse.output`), `${path}.norm`, EPSILON.projector);
  return { value: reshape(graph, out, -1, side, side, dim), side };
}

/** A convolution of kernel 1, norm and SiLU. x: [cells, in] -> [cells, out]. */
function cellwise(b: Builder, x: Value, path: string): Value {
  const { shape, data } = b.leaf(`${path}.conv`); // [1, 1, in, out]
  const weight = { shape: shape.slice(2), data };
  return silu(b, norm(b, project(b, x, `${path}.conv`, weight), `${path}.norm`, EPSILON.projector));
}

/** A convolution of kernel 3, norm and SiLU. x: [batch, side, side, in] -> [batch, side, side, out]. */
function convNorm(b: Builder, x: Value, path: string): Value {
  return silu(b, norm(b, convolution(b, x, `${path}.conv`, 1), `${path}.norm`, EPSILON.projector));
}

/** A convolution of kernel 3 with a cell of padding, channels last on both sides. */
function convolution({ graph, leaf }: Builder, x: Value, path: string, stride: number): Value {
  const filter = permute(leaf(path), [3, 2, 0, 1]);
  const [, , height, width] = filter.shape;
  const out = graph.op("Conv", [transpose(graph, x, 0, 3, 1, 2), graph.weights(path, filter)], {
    kernel_shape: [height!, width!],
    pads: [1, 1, 1, 1],
    strides: [stride, stride],
  });
  return transpose(graph, out, 0, 2, 3, 1);
}

/** [batch * windows^2 * inner^2, width] -> [batch, side, side, width]. */
function joinWindows({ graph, architecture }: Builder, x: Value, width: number): Value {
  const { side, windows, inner } = windowsOf(architecture);
  const cut = reshape(graph, x, -1, windows, windows, inner, inner, width);
  return reshape(graph, transpose(graph, cut, 0, 1, 3, 2, 4, 5), -1, side, side, width);
}

/** Transposed convolution of kernel and stride 2: every cell becomes 2 x 2 cells of half the width. */
function doubled(b: Builder, map: Value, path: string): FeatureLevel & { width: number } {
  const { graph, architecture } = b;
  const { side, windows, inner } = windowsOf(architecture);
  const { weight, bias } = linearAt(b, path); // [in, 2, 2, out]
  const [input, , , width] = weight.shape as [number, number, number, number];
  const repeated = Float32Array.from({ length: 4 * width }, (_, i) => bias.data[i % width]!);
  const cells = linear(b, reshape(graph, map, -1, input), path, {
    weight: { shape: [input, 4 * width], data: weight.data },
    bias: { shape: [4 * width], data: repeated },
  });
  const cut = reshape(graph, cells, -1, windows, windows, inner, inner, 2, 2 * width);
  const value = reshape(graph, transpose(graph, cut, 0, 1, 3, 5, 2, 4, 6), -1, 2 * side, 2 * side, width);
  return { value, side: 2 * side, width };
}

/** Strided convolution, norm and ReLU: half the side. */
function halved(b: Builder, map: Value, path: string): FeatureLevel & { width: number } {
  const { graph, architecture } = b;
  const width = architecture.encoder.hiddenSize;
  const whole = joinWindows(b, map, width);
  const value = graph.op("Relu", [
    norm(b, convolution(b, whole, `${path}.conv`, 2), `${path}.norm`, EPSILON.projector),
  ]);
  return { value, side: Math.ceil(windowsOf(architecture).side / 2), width };
}

/** Pooling with kernel 1 and stride 2. */
function everySecond({ graph }: Builder, { value, side }: FeatureLevel): FeatureLevel {
  const ends = graph.ints(side, side);
  const inputs = [value, graph.ints(0, 0), ends, graph.ints(1, 2), graph.ints(2, 2)];
  return { value: graph.op("Slice", inputs), side: Math.ceil(side / 2) };
}
