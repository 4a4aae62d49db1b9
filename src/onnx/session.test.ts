import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { embed, int, message, text, toBytes } from "../util/protobuf.ts";
import { INSTALL_ONNXRUNTIME, onnxruntimeVersion, openOnnx } from "./session.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "onnx-session-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** y = x + x for x: float32 [n, 3]. */
function doubling(): Uint8Array {
  const port = (name: string) => [
    text(1, name),
    embed(2, embed(1, int(1, 1), embed(2, embed(1, text(2, "n")), embed(1, int(1, 3))))),
  ];
  const node = embed(1, text(1, "x"), text(1, "x"), text(2, "y"), text(4, "Add"));
  return toBytes(
    message(
      int(1, 8),
      embed(7, node, text(2, "doubling"), embed(11, ...port("x")), embed(12, ...port("y"))),
      embed(8, text(1, ""), int(2, 17)),
    ),
  );
}

test("a file is opened and run, and says its ports", async () => {
  const path = join(folder, "doubling.onnx");
  await writeFile(path, doubling());
  const session = await openOnnx(path, { threads: 1 });
  expect(session).toMatchObject({
    inputs: [{ name: "x", type: "float32", shape: ["n", 3] }],
    outputs: [{ name: "y", type: "float32", shape: ["n", 3] }],
    threads: 1,
  });
  const { y } = await session.run({ x: { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] } });
  expect([...y!.data]).toEqual([2, 4, 6, 8, 10, 12]);
  expect(y!.shape).toEqual([2, 3]);
  await session.close();
});

test("a file that is not there is named", async () => {
  await expect(openOnnx(join(folder, "none.onnx"))).rejects.toThrow(/Cannot read .*none\.onnx: no such file/);
});

test.each([
  ["random bytes", Buffer.from("This is a text and no model at all.")],
  ["nothing", Buffer.alloc(0)],
  ["half a model", Buffer.from(doubling()).subarray(0, 40)],
])("%s in place of a model is refused with the file's name", async (_, content) => {
  const path = join(folder, "broken.onnx");
  await writeFile(path, content);
  await expect(openOnnx(path)).rejects.toThrow(/broken\.onnx is no ONNX model that can be run/);
});

test("the version in the hint is that of package.json", async () => {
  const { optionalDependencies } = JSON.parse(
    await readFile(join(import.meta.dirname, "..", "..", "package.json"), "utf8"),
  );
  expect(INSTALL_ONNXRUNTIME.split("@")[1]).toBe(optionalDependencies["onnxruntime-node"]);
  expect(onnxruntimeVersion()).toBe(optionalDependencies["onnxruntime-node"]);
});
