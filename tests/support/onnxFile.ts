// Exported files of the small detector of the fixtures, for tests of what runs them.

import { writeFile } from "node:fs/promises";
import { toFields } from "../../src/architecture/fields.ts";
import type { Architecture } from "../../src/architecture/variants.ts";
import { toLeaves } from "../../src/checkpoint/names.ts";
import { type WeightsMetadata, writeWeightsFile } from "../../src/checkpoint/weightsFile.ts";
import { createGraph } from "../../src/export/graph/graph.ts";
import { buildGraph } from "../../src/export/graph/rfdetr.ts";
import { toMetadata } from "../../src/onnx/metadata.ts";
import type { StateDict } from "../../src/util/hostTensor.ts";
import { toBytes } from "../../src/util/protobuf.ts";
import { TINY, weightsOf } from "../parity/fixtures.ts";

/** Two classes of the small data set of tinyRun.ts and two others; one name that has to be escaped wherever it is drawn. */
export const CLASSES = ["red", "blue", "ä", "<b>&amp;"].map((name, label) => ({
  name,
  label,
  categoryId: 10 * (label + 1),
}));

/** Weights of the small detector in a .safetensors or .pth file. `said`: what the file says of its classes. */
export async function writeTinyWeights(path: string, seed = 11, said: WeightsMetadata = OWN): Promise<void> {
  const modelConfig = toFields(TINY) as Record<string, number>;
  await writeWeightsFile(path, weightsOf(TINY, seed), { modelConfig, ...said });
}

const OWN: WeightsMetadata = {
  classNames: CLASSES.map(({ name }) => name),
  categoryIds: CLASSES.map(({ categoryId }) => categoryId),
};

/** The same weights as an ONNX file; of another architecture, its own. */
export async function writeTinyOnnx(
  path: string,
  {
    seed = 11,
    threshold,
    architecture = TINY,
    tensors = weightsOf(architecture, seed),
  }: { seed?: number; threshold?: number; architecture?: Architecture; tensors?: StateDict } = {},
): Promise<void> {
  const { resolution, numSelect, segmentationHead: masks } = architecture;
  const graph = buildGraph(toLeaves(tensors, architecture), architecture, {
    opset: 18,
    batch: "dynamic",
    fused: false,
    floats: "float32",
  });
  const metadata = toMetadata({
    ...{ classes: CLASSES, resolution, numSelect },
    ...{ precision: "float32", outputs: "raw", masks, architecture: toFields(architecture), version: "0" },
    ...{ weights: { source: "generated", sha256: "" }, run: undefined, epoch: undefined, threshold },
  });
  await writeFile(path, toBytes(graph.encode({ name: "tiny", version: "0", metadata })));
}

/** A file with one input of this name and shape, whose outputs are the input reshaped. */
export async function writeReshapes(
  path: string,
  { input, shape, outputs }: { input: string; shape: (number | string)[]; outputs: Record<string, number[]> },
): Promise<void> {
  const graph = createGraph({ opset: 18, floats: "float32" });
  const x = graph.input(input, "float32", shape);
  for (const [name, to] of Object.entries(outputs))
    graph.output(graph.op("Reshape", [x, graph.ints(...to)]), name, "float32", to);
  await writeFile(path, toBytes(graph.encode({ name: "test", version: "0", metadata: {} })));
}
