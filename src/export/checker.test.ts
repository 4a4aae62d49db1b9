// The official ONNX checker on our files. It is a Python package: RFDETR_TRAIN_PYTHON names a python that has `onnx`.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { SEG_TINY, TINY, weightsOf } from "../../tests/parity/fixtures.ts";
import { requirePython } from "../../tests/support/python.ts";
import { toLeaves } from "../checkpoint/names.ts";
import { toBytes } from "../util/protobuf.ts";
import { buildGraph, type GraphSettings } from "./graph/rfdetr.ts";
import { dynamicInt8, type Range, type Ranges, staticInt8 } from "./quantise.ts";

/** The same range for every layer. */
function everywhere(range: Range): Ranges {
  const ranges = new Map<string, Range>();
  return Object.assign(ranges, { get: () => range });
}

/** A quantiser is of one graph. */
const cases = (): [string, GraphSettings][] => [
  ["plain", { opset: 18, batch: "dynamic", fused: false, floats: "float32" }],
  ["plain, opset 17, fixed batch", { opset: 17, batch: 1, fused: false, floats: "float32" }],
  ["decoded", { opset: 18, batch: "dynamic", fused: false, floats: "float32", decode: { first: 0, last: 3 } }],
  ["onnxruntime's own operations", { opset: 18, batch: "dynamic", fused: true, floats: "float32" }],
  ["whole numbers", { opset: 18, batch: "dynamic", fused: true, floats: "float32", quantiser: dynamicInt8() }],
  ["whole numbers by ranges", { opset: 18, batch: "dynamic", fused: true, floats: "float32", quantiser: staticInt8(everywhere({ min: -3, max: 3 })) }], // biome-ignore format: one line
  ["half precision", { opset: 18, batch: "dynamic", fused: false, floats: "float16" }],
];

test("the official checker accepts every kind of file, of detectors and of segmenters", async (context) => {
  const python = await requirePython(context, ["onnx"]);
  const folder = await mkdtemp(join(tmpdir(), "onnx-checker-"));
  try {
    const paths: string[] = [];
    for (const architecture of [TINY, SEG_TINY]) {
      const leaves = toLeaves(weightsOf(architecture, 1), architecture);
      for (const [, settings] of cases()) {
        const path = join(folder, `${paths.length}.onnx`);
        const graph = buildGraph(leaves, architecture, settings);
        await writeFile(path, toBytes(graph.encode({ name: "test", version: "0", metadata: { names: "{}" } })));
        paths.push(path);
      }
    }
    const program =
      "import sys, onnx\nfor p in sys.argv[1:]:\n  onnx.checker.check_model(p, full_check=True)\n  print(p)";
    const { stdout } = await promisify(execFile)(python, ["-c", program, ...paths]);
    expect(stdout.trim().split("\n")).toEqual(paths);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);
