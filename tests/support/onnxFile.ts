// Exported files of the small detector of the fixtures, for tests of what runs them.

import { writeFile } from "node:fs/promises";
import { toFields } from "../../src/architecture/fields.ts";
import { toLeaves } from "../../src/checkpoint/names.ts";
import { writeWeightsFile } from "../../src/checkpoint/weightsFile.ts";
import { buildGraph } from "../../src/export/graph/rfdetr.ts";
import { toMetadata } from "../../src/onnx/metadata.ts";
import { toBytes } from "../../src/util/protobuf.ts";
import { TINY, weightsOf } from "../parity/fixtures.ts";

/** Two classes of the small data set of tinyRun.ts and two others; one name that has to be escaped wherever it is drawn. */
export const CLASSES = ["red", "blue", "ä", "<b>&amp;"].map((name, label) => ({
  name,
  label,
  categoryId: 10 * (label + 1),
}));

/** Weights of the small detector in a .safetensors or .pth file. */
export async function writeTinyWeights(path: string, seed = 11): Promise<void> {
  await writeWeightsFile(path, weightsOf(TINY, seed), {
    modelConfig: toFields(TINY) as Record<string, number>,
    classNames: CLASSES.map(({ name }) => name),
    categoryIds: CLASSES.map(({ categoryId }) => categoryId),
  });
}

/** The same weights as an ONNX file. */
export async function writeTinyOnnx(path: string, seed = 11): Promise<void> {
  const leaves = toLeaves(weightsOf(TINY, seed), TINY);
  const graph = buildGraph(leaves, TINY, { opset: 18, batch: "dynamic", fused: false, floats: "float32" });
  const metadata = toMetadata({
    ...{ classes: CLASSES, resolution: TINY.resolution, numSelect: TINY.numSelect },
    ...{ precision: "float32", outputs: "raw", architecture: toFields(TINY), version: "0" },
    ...{ weights: { source: "generated", sha256: "" }, run: undefined, epoch: undefined },
  });
  await writeFile(path, toBytes(graph.encode({ name: "tiny", version: "0", metadata })));
}
