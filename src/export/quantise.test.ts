import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TINY, weightsOf } from "../../tests/parity/fixtures.ts";
import { VARIANTS } from "../architecture/variants.ts";
import { toLeaves } from "../checkpoint/names.ts";
import { decodeFile } from "../data/image/decode.ts";
import { findImages } from "../data/image/imagePaths.ts";
import { normalise, resizePillow } from "../data/image/resize.ts";
import { openOnnx } from "../onnx/session.ts";
import { permute } from "../util/arrays/permute.ts";
import { toBytes } from "../util/protobuf.ts";
import { buildGraph, type GraphSettings } from "./graph/rfdetr.ts";
import { dynamicInt8, type Range, rangeRecorder, staticInt8, toInt8 } from "./quantise.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "onnx-int8-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("each column of a weight uses its own scale and half the range of a byte", () => {
  const { values, scales } = toInt8({ shape: [2, 3], data: Float32Array.of(1, -0.5, 0, 0.25, 4, 0) });
  expect([...values]).toEqual([64, -8, 0, 16, 64, 0]);
  expect([...scales]).toEqual([1 / 64, 4 / 64, 1 / 64]);
});

/** Of the projector's output; what lies behind it ranks, and ranking has no error in per cent. */
const BOUND = 0.025;

test("on real images the features of nano in whole numbers are near those in fractions", async () => {
  const nano = VARIANTS.nano;
  const leaves = toLeaves(weightsOf(nano, 7), nano);
  const { paths } = await findImages([join(import.meta.dirname, "..", "..", "datasets", "trees", "valid")]);
  const side = nano.resolution;
  const images = await Promise.all(
    paths.slice(0, 2).map(async (path) => {
      const data = normalise(resizePillow(await decodeFile(path), side, side));
      return permute({ shape: [1, side, side, 3], data }, [0, 3, 1, 2]);
    }),
  );
  const outputs = async (settings: Partial<GraphSettings>) => {
    const common = { opset: 18, batch: "dynamic", fused: false, floats: "float32", memory: true } as const;
    const graph = buildGraph(leaves, nano, { ...common, ...settings });
    const path = join(folder, "model.onnx");
    await writeFile(path, toBytes(graph.encode({ name: "test", version: "0", metadata: {} })));
    const session = await openOnnx(path);
    const found = [];
    for (const image of images) found.push(await session.run({ input: image }));
    await session.close();
    return found;
  };
  const features = async (settings: Partial<GraphSettings>) =>
    (await outputs(settings)).map((found) => found["memory.0"]!.data as Float32Array);
  const exact = await features({});
  const recorder = rangeRecorder();
  const recorded = await outputs({ quantiser: recorder });
  const mean = (output: string) =>
    recorded.reduce((sum, found) => sum + Number(found[output]!.data[0]) / recorded.length, 0);
  const ranges = new Map(
    [...recorder.layers].map(([layer, output]): [string, Range] => [
      layer,
      { min: mean(`${output}.min`), max: mean(`${output}.max`) },
    ]),
  );
  for (const quantiser of [dynamicInt8(), staticInt8(ranges)]) {
    const rounded = await features({ fused: true, quantiser });
    for (const [i, expected] of exact.entries()) {
      const sum = (of: (value: number, at: number) => number) => expected.reduce((total, value, at) => total + of(value, at) ** 2, 0); // biome-ignore format: one line
      const error = Math.sqrt(sum((value, at) => value - rounded[i]![at]!) / sum((value) => value));
      expect(error).toBeLessThan(BOUND);
      expect(error).toBeGreaterThan(0.001);
    }
  }
}, 60_000);

test("a graph that records ranges gives those of each layer's input, once for layers that share it", async () => {
  const leaves = toLeaves(weightsOf(TINY, 1), TINY);
  const recorder = rangeRecorder();
  const settings = { opset: 18, batch: "dynamic", fused: false, floats: "float32", quantiser: recorder } as const;
  const path = join(folder, "ranges.onnx");
  const graph = buildGraph(leaves, TINY, settings);
  await writeFile(path, toBytes(graph.encode({ name: "test", version: "0", metadata: {} })));
  const session = await openOnnx(path);
  const side = TINY.resolution;
  const data = Float32Array.from({ length: 3 * side * side }, (_, i) => Math.sin(i));
  const found = await session.run({ input: { data, shape: [1, 3, side, side] } });
  await session.close();
  const of = (layer: string) => recorder.layers.get(`backbone.blocks.1.${layer}`);
  expect(of("attention.query")).toBe(of("attention.key"));
  expect(of("attention.query")).not.toBe(of("attention.output"));
  for (const output of recorder.layers.values())
    expect(Number(found[`${output}.min`]!.data[0])).toBeLessThan(Number(found[`${output}.max`]!.data[0]));
});
