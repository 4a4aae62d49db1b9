import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bytes, embed, int, message, text, toBytes } from "../util/protobuf.ts";
import { readOnnxFacts } from "./facts.ts";

let path: string;
beforeAll(async () => {
  path = join(await mkdtemp(join(tmpdir(), "onnx-facts-")), "model.onnx");
});
afterAll(() => rm(join(path, ".."), { recursive: true, force: true }));

const graph = embed(7, text(2, "graph"), bytes(5, new Uint8Array(5000)));
const model = Buffer.from(
  toBytes(
    message(
      int(1, 8),
      text(2, "somebody"),
      graph,
      embed(8, text(1, ""), int(2, 18)),
      embed(8, text(1, "com.microsoft"), int(2, 1)),
      embed(14, text(1, "names"), text(2, "ä, b")),
      embed(14, text(1, "__proto__"), text(2, "x")),
    ),
  ),
);

test("producer, versions and metadata are read past a graph of any size", async () => {
  await writeFile(path, model);
  const facts = await readOnnxFacts(path);
  expect(facts).toMatchObject({ irVersion: 8, producer: "somebody", opsets: { "": 18, "com.microsoft": 1 } });
  expect(Object.entries(facts.metadata)).toEqual([
    ["names", "ä, b"],
    ["__proto__", "x"],
  ]);
});

test.each<[string, Uint8Array, RegExp]>([
  ["an empty file", Buffer.alloc(0), /it has no graph/],
  ["a file cut off in its graph", model.subarray(0, 2000), /ends before its contents do/],
  ["a file cut off in its metadata", model.subarray(0, model.length - 3), /ends before its contents do/],
  ["a text", Buffer.from("This is not a model, it is a text of some length."), /is no ONNX model/],
  ["a picture", Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"), /is no ONNX model/],
  ["a length beyond any file", Buffer.from("08083affffffffffffffff7f", "hex"), /is no ONNX model/],
  ["a number without an end", Buffer.from("08ffffffffffffffffffffffffff", "hex"), /is no ONNX model/],
  [
    "a metadata entry that is no message",
    toBytes(message(int(1, 8), graph, bytes(14, Buffer.of(0xff)))),
    /no ONNX model/,
  ],
  [
    "a metadata entry that is no text",
    toBytes(message(int(1, 8), graph, embed(14, bytes(1, Buffer.of(0xff))))),
    /no ONNX/,
  ],
  ["more fields than any model has", Buffer.alloc(2 * 10_001, Buffer.of(0x20, 0)), /too many fields/],
  [
    "metadata larger than any",
    toBytes(message(int(1, 8), graph, bytes(14, new Uint8Array(17 * 2 ** 20)))),
    /too large/,
  ],
])("%s is refused", async (_, content, why) => {
  await writeFile(path, content);
  await expect(readOnnxFacts(path)).rejects.toThrow(why);
  await expect(readOnnxFacts(path)).rejects.toThrow(path);
});
