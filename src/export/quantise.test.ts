import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { weightsOf } from "../../tests/parity/fixtures.ts";
import { toLeaves } from "../checkpoint/names.ts";
import { decodeFile } from "../data/decode.ts";
import { findImages } from "../data/imagePaths.ts";
import { normalise, resizePillow } from "../data/resize.ts";
import { VARIANTS } from "../model/variants.ts";
import { openOnnx } from "../onnx/session.ts";
import { toBytes as inOnePiece } from "../util/protobuf.ts";
import { permute } from "./host.ts";
import { dynamicInt8, toBytes } from "./quantise.ts";
import { buildGraph, type GraphSettings } from "./rfdetr.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "onnx-int8-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("each column of a weight uses its own scale and half the range of a byte", () => {
  const { values, scales } = toBytes({ shape: [2, 3], data: Float32Array.of(1, -0.5, 0, 0.25, 4, 0) });
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
  const features = async (settings: Partial<GraphSettings>) => {
    const common = { opset: 18, batch: "dynamic", fused: false, floats: "float32", memory: true } as const;
    const graph = buildGraph(leaves, nano, { ...common, ...settings });
    const path = join(folder, "model.onnx");
    await writeFile(path, inOnePiece(graph.encode({ name: "test", version: "0", metadata: {} })));
    const session = await openOnnx(path);
    const found = [];
    for (const image of images) found.push((await session.run({ input: image }))["memory.0"]!.data as Float32Array);
    await session.close();
    return found;
  };
  const exact = await features({});
  const rounded = await features({ fused: true, quantiser: dynamicInt8() });
  for (const [i, expected] of exact.entries()) {
    const sum = (of: (value: number, at: number) => number) => expected.reduce((total, value, at) => total + of(value, at) ** 2, 0); // biome-ignore format: one line
    const error = Math.sqrt(sum((value, at) => value - rounded[i]![at]!) / sum((value) => value));
    expect(error).toBeLessThan(BOUND);
    expect(error).toBeGreaterThan(0.001);
  }
}, 60_000);
