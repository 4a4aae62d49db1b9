// What onnxruntime makes of our graphs on loading: a form that it does not know costs a tenth of the time.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TINY, weightsOf } from "../../../tests/parity/fixtures.ts";
import { toLeaves } from "../../checkpoint/names.ts";
import { readFields, toBytes } from "../../util/protobuf.ts";
import { dynamicInt8 } from "../quantise.ts";
import { buildGraph, type GraphSettings } from "./rfdetr.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "onnx-fusion-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** How often each operation is in the graph that onnxruntime runs. */
async function operations(settings: Partial<GraphSettings>): Promise<Map<string, number>> {
  const plain: GraphSettings = { opset: 18, batch: "dynamic", fused: false, floats: "float32" };
  const graph = buildGraph(toLeaves(weightsOf(TINY, 1), TINY), TINY, { ...plain, ...settings });
  const [written, run] = [join(folder, "written.onnx"), join(folder, "run.onnx")];
  await writeFile(written, toBytes(graph.encode({ name: "test", version: "0", metadata: {} })));
  const options = { optimizedModelFilePath: run, graphOptimizationLevel: "extended", logSeverityLevel: 4 } as const;
  await (await InferenceSession.create(written, options)).release();
  const counts = new Map<string, number>();
  for (const part of fields(await readFile(run), 7))
    for (const node of fields(part, 1))
      for (const type of fields(node, 4)) {
        const name = Buffer.from(type).toString();
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
  return counts;
}

function fields(from: Uint8Array, wanted: number): Uint8Array[] {
  return [...readFields(from)].flatMap(({ field, value }) =>
    field === wanted && value instanceof Uint8Array ? [value] : [],
  );
}

test.each([17, 18] as const)("opset %i: GELU, SiLU and matrix products are one operation each", async (opset) => {
  const found = await operations({ opset });
  expect(found.get("Gelu")).toBe(TINY.encoder.numHiddenLayers);
  expect(found.get("QuickGelu")).toBe(8); // SiLU, as onnxruntime calls it
  for (const name of ["Erf", "Sigmoid", "Cast", "Identity"]) expect(found.get(name), name).toBeUndefined();
});

test("whole numbers: no product is left without its scale", async () => {
  const found = await operations({ fused: true, quantiser: dynamicInt8() });
  const blocks = TINY.encoder.numHiddenLayers - 1;
  const products = (found.get("MatMulIntegerToFloat") ?? 0) + (found.get("DynamicQuantizeMatMul") ?? 0);
  expect(products).toBe(6 * blocks + 2 * TINY.decLayers + 1);
  for (const name of ["MatMulInteger", "Cast"]) expect(found.get(name), name).toBeUndefined();
});
