import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Encoded, embed, int, message, text, toBytes } from "../util/protobuf.ts";
import { refuseUnbounded } from "./endless.ts";

const node = (operation: string, ...attributes: Encoded[]) => embed(1, text(4, operation), ...attributes);
/** An attribute that is a graph of nodes. */
const graph = (...nodes: Encoded[]) => embed(5, text(1, "body"), embed(6, ...nodes));

/** Nodes of a function, whose field is another than a graph's. */
const body = (...nodes: Encoded[]) => nodes.map((one) => [Uint8Array.of(0x3a), ...one.slice(1)]);

function file(...fields: Encoded[]): string {
  const path = join(mkdtempSync(join(tmpdir(), "endless-")), "model.onnx");
  writeFileSync(path, toBytes(message(int(1, 9), ...fields)));
  return path;
}

test("a model without loops passes, with branches and weights", async () => {
  const weights = embed(5, text(8, "w"), embed(9, text(1, "x".repeat(200_000))));
  await refuseUnbounded(file(embed(7, node("Relu"), weights, node("If", graph(node("Add"))), node("Conv"))));
  await refuseUnbounded(file(embed(7, node("Relu")), text(2, "producer")));
});

test.each([
  ["in the graph", embed(7, node("Relu"), node("Loop", graph(node("Add"))))],
  ["in a branch", embed(7, node("If", graph(node("If", graph(node("Scan"))))))],
  ["in a function", embed(25, text(1, "f"), embed(7, text(4, "Loop")))],
])("a loop %s is refused by its name", async (_, model) => {
  await expect(refuseUnbounded(file(model))).rejects.toThrow(
    /model.onnx holds the operation (Loop|Scan), which may never end/,
  );
});

/** A node with its inputs and outputs, separated by blanks. */
const wired = (operation: string, inputs: string, outputs: string, ...attributes: Encoded[]) =>
  embed(
    1,
    ...inputs.split(" ").map((name) => text(1, name)),
    ...outputs.split(" ").map((name) => text(2, name)),
    text(4, operation),
    ...attributes,
  );

test.each<[string, Encoded[]]>([
  ["computed of pixels", [wired("ReduceMax", "input", "most"), wired("Expand", "w most", "y")]],
  ["of another output", [wired("TopK", "input k", "v i"), wired("Gather", "w i", "g"), wired("Tile", "w g", "y")]],
  ["as a number of what is not zero", [wired("Relu", "input", "a"), wired("NonZero", "a", "y")]],
  ["as a branch", [wired("ReduceMax", "input", "most"), wired("If", "most", "y", graph(node("Add")))]],
  ["through a branch", [wired("If", "c", "a", graph(wired("Relu", "input", "b"))), wired("Range", "z a one", "y")]],
  ["of the sizes of the originals", [wired("Cast", "sizes", "n"), wired("Resize", "input  n", "y")]],
  ["in a function", [wired("make", "w input", "y")]],
  ["through a function", [wired("pass", "input", "a"), wired("ReduceSum", "w a", "y")]],
])("sizes that depend on the pixels are refused, %s", async (_, nodes) => {
  const functions = [
    embed(25, text(1, "make"), text(4, "a"), text(4, "b"), text(5, "c"), ...body(wired("Expand", "a b", "c"))),
    embed(25, text(1, "pass"), text(4, "a"), text(5, "b"), ...body(wired("Relu", "a", "b"))),
  ];
  await expect(refuseUnbounded(file(embed(7, ...nodes), ...functions))).rejects.toThrow(
    /model.onnx holds the operation \w+ with sizes that depend on the pixels/,
  );
});

test("sizes that depend on the number of images are none of the pixels'", async () => {
  const nodes = [
    wired("Shape", "input", "shape"),
    wired("Gather", "shape zero", "count"),
    wired("Expand", "input count", "a"),
    wired("make", "input count", "b"),
    wired("TopK", "a k", "v i"),
    wired("GatherElements", "b i", "c"),
    wired("If", "count", "d", graph(wired("Squeeze", "input axes", "e"))),
    wired("Reshape", "d count", "y"),
  ];
  const make = embed(25, text(1, "make"), text(4, "a"), text(4, "b"), text(5, "c"), ...body(wired("Tile", "a b", "c")));
  await refuseUnbounded(file(embed(7, ...nodes), make));
});

test("functions that call themselves are refused", async () => {
  const self = embed(25, text(1, "f"), text(4, "a"), text(5, "b"), ...body(wired("f", "a", "b")));
  await expect(refuseUnbounded(file(embed(7, wired("f", "input", "y")), self))).rejects.toThrow(/graphs inside graphs/);
});

test("a model of endlessly many parts is refused, and zeros are no model", async () => {
  const path = file();
  writeFileSync(path, Buffer.alloc(4_000_000, Uint8Array.of(0x08, 0x01)));
  await expect(refuseUnbounded(path)).rejects.toThrow(/more than 1000000 parts/);
  writeFileSync(path, Buffer.alloc(50_000_000));
  await refuseUnbounded(path);
});

test("what is no model is left to whoever opens it, and graphs in graphs without end are refused", async () => {
  const path = file();
  writeFileSync(path, Uint8Array.of(0x3a, 0xff, 0xff, 0x03, 1, 2));
  await refuseUnbounded(path);
  let deep = node("Relu");
  for (let i = 0; i < 30; i++) deep = node("If", graph(deep));
  await expect(refuseUnbounded(file(embed(7, deep)))).rejects.toThrow(/graphs inside graphs/);
});
