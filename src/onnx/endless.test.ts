import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Encoded, embed, int, message, text, toBytes } from "../util/protobuf.ts";
import { refuseLoops } from "./endless.ts";

const node = (operation: string, ...attributes: Encoded[]) => embed(1, text(4, operation), ...attributes);
/** An attribute that is a graph of nodes. */
const graph = (...nodes: Encoded[]) => embed(5, text(1, "body"), embed(6, ...nodes));

function file(...fields: Encoded[]): string {
  const path = join(mkdtempSync(join(tmpdir(), "endless-")), "model.onnx");
  writeFileSync(path, toBytes(message(int(1, 9), ...fields)));
  return path;
}

test("a model without loops passes, with branches and weights", async () => {
  const weights = embed(5, text(8, "w"), embed(9, text(1, "x".repeat(200_000))));
  await refuseLoops(file(embed(7, node("Relu"), weights, node("If", graph(node("Add"))), node("Conv"))));
  await refuseLoops(file(embed(7, node("Relu")), text(2, "producer")));
});

test.each([
  ["in the graph", embed(7, node("Relu"), node("Loop", graph(node("Add"))))],
  ["in a branch", embed(7, node("If", graph(node("If", graph(node("Scan"))))))],
  ["in a function", embed(25, text(1, "f"), embed(7, text(4, "Loop")))],
])("a loop %s is refused by its name", async (_, model) => {
  await expect(refuseLoops(file(model))).rejects.toThrow(
    /model.onnx holds the operation (Loop|Scan), which may never end/,
  );
});

test("a model of endlessly many parts is refused, and zeros are no model", async () => {
  const path = file();
  writeFileSync(path, Buffer.alloc(4_000_000, Uint8Array.of(0x08, 0x01)));
  await expect(refuseLoops(path)).rejects.toThrow(/more than 1000000 parts/);
  writeFileSync(path, Buffer.alloc(50_000_000));
  await refuseLoops(path);
});

test("what is no model is left to whoever opens it, and graphs in graphs without end are refused", async () => {
  const path = file();
  writeFileSync(path, Uint8Array.of(0x3a, 0xff, 0xff, 0x03, 1, 2));
  await refuseLoops(path);
  let deep = node("Relu");
  for (let i = 0; i < 30; i++) deep = node("If", graph(deep));
  await expect(refuseLoops(file(embed(7, deep)))).rejects.toThrow(/graphs inside graphs/);
});
