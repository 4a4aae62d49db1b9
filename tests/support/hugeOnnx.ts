// ONNX files with the ports of a detector and one huge piece of work inside, each without a loop and of a few hundred bytes.

import { writeFile } from "node:fs/promises";
import { createGraph, type Graph, type Value } from "../../src/export/graph/graph.ts";
import { toBytes } from "../../src/util/protobuf.ts";

/** Work on `x`, float32 [images, 3, 8, 8]. */
type Work = (graph: Graph, x: Value) => Value;

const column: Work = (graph, x) => graph.op("Reshape", [x, graph.ints(-1, 1)]);
const filled = (graph: Graph, ...shape: number[]) => graph.op("ConstantOfShape", [graph.ints(...shape)]);
/** A matrix of so many numbers a side that is no constant. */
const square: (side: number) => Work = (side) => (graph, x) =>
  graph.op("Expand", [graph.op("ReduceMean", [column(graph, x)]), graph.ints(side, side)]);

function repeat(times: number, first: Value, next: (value: Value) => Value): Value {
  let value = first;
  for (let i = 0; i < times; i++) value = next(value);
  return value;
}

/** Works that take some gigabytes, by name. */
export const MEMORY: Record<string, Work> = {
  expand: (graph, x) => graph.op("Exp", [square(31_000)(graph, x)]),
  tile: (graph, x) => graph.op("Tile", [column(graph, x), graph.ints(5000, 1000)]),
  pad: (graph, x) => graph.op("Pad", [column(graph, x), graph.ints(0, 0, 31_000, 31_000)]),
  "outer product": (graph, x) => {
    const long = graph.op("Tile", [column(graph, x), graph.ints(170, 1)]);
    return graph.op("MatMul", [long, graph.op("Transpose", [long])]);
  },
  resize: (graph, x) => graph.op("Resize", [x, "", graph.raw("scales", "float32", [4], floats(1, 1, 2000, 2000))]),
  doubling: (graph, x) => repeat(23, x, (one) => graph.op("Concat", [one, one], { axis: 0 })),
  range: (graph, x) => {
    const mean = graph.op("ReduceMean", [x], { keepdims: 0 });
    const end = graph.op("Add", [graph.op("Mul", [mean, graph.scalar(0)]), graph.scalar(1e9)]);
    return graph.op("Range", [graph.scalar(0), end, graph.scalar(1)]);
  },
  "one hot": (graph, x) => {
    const values = graph.raw("values", "float32", [2], floats(0, 1));
    return graph.op("OneHot", [graph.op("Round", [column(graph, x)]), graph.scalar(5e6), values]);
  },
  constant: (graph) => graph.op("Exp", [filled(graph, 31_000, 31_000)]), // made when the file is opened
  "many constants": (graph) =>
    repeat(300, filled(graph, 2000, 2000), (one) => graph.op("Concat", [one, filled(graph, 2000, 2000)], { axis: 0 })),
};

/** Works that take hours and little memory. */
export const TIME: Record<string, Work> = {
  products: (graph, x) => {
    const matrix = square(4000)(graph, x);
    return repeat(3000, matrix, (one) => graph.op("MatMul", [one, matrix]));
  },
  "many operations": (graph, x) => repeat(20_000, square(2000)(graph, x), (one) => graph.op("Erf", [one])),
  resizes: (graph, x) => {
    const scales = (name: string, by: number) => graph.raw(name, "float32", [4], floats(1, 1, by, by));
    const [up, down] = [scales("up", 200), scales("down", 1 / 200)];
    return repeat(3000, x, (one) =>
      graph.op("Resize", [graph.op("Resize", [one, "", up], { mode: "cubic" }), "", down]),
    );
  },
  convolution: (graph, x) => {
    const image = graph.op("Reshape", [square(2000)(graph, x), graph.ints(1, 1, 2000, 2000)]);
    const kernel = graph.op("Reshape", [square(1500)(graph, x), graph.ints(1, 1, 1500, 1500)]);
    return repeat(100, image, (one) => graph.op("Conv", [one, kernel], { pads: [750, 750, 749, 749] }));
  },
  sorting: (graph, x) =>
    repeat(2000, square(3000)(graph, x), (one) => graph.ops("TopK", [one, graph.ints(3000)], { axis: 0 }, 2)[0]!),
  "constant products": (graph) => {
    const matrix = filled(graph, 4000, 4000); // multiplied when the file is opened
    return repeat(3000, matrix, (one) => graph.op("MatMul", [one, matrix]));
  },
};

/** Write a file that does the work before it gives what a detector gives. `images`: a number, or the name of a free axis. */
export async function writeHuge(path: string, work: Work, images: number | string = 1): Promise<void> {
  const graph = createGraph({ opset: 18, floats: "float32" });
  const x = graph.input("input", "float32", [images, 3, 8, 8]);
  const nothing = graph.op("Mul", [graph.op("ReduceMean", [work(graph, x)], { keepdims: 0 }), graph.scalar(0)]);
  const worked = graph.op("Add", [x, nothing]);
  for (const name of ["dets", "labels"])
    graph.output(graph.op("Reshape", [worked, graph.ints(0, 48, 4)]), name, "float32", [images, 48, 4]);
  await writeFile(path, toBytes(graph.encode({ name: "huge", version: "0", metadata: {} })));
}

function floats(...values: number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}
