import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { MEMORY, TIME, writeHuge } from "../../../tests/support/hugeOnnx.ts";
import { launch } from "../../../tests/support/launcher.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "huge-onnx-"));
  await writeHuge(join(folder, "memory.onnx"), MEMORY.doubling!);
  await writeHuge(join(folder, "time.onnx"), TIME.products!);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.each([
  ["predict", "time.onnx", ["--images", "datasets/trees/valid"], /takes more than [\d.]+ s /],
  ["evaluate", "memory.onnx", ["--data", "datasets/trees"], /takes more than 0\.7 GB of memory/],
  ["benchmark", "memory.onnx", ["--rounds", "1"], /takes more than 0\.7 GB of memory/],
])("%s refuses a file with huge work in it with code 2", async (command, name, words, said) => {
  const path = join(folder, name);
  const { code, err } = await launch([command, "--weights", path, ...words]);
  expect(err).toContain(`${path} takes more than`);
  expect(err).toMatch(said);
  expect(err).toContain("Export the detector again");
  expect(err).not.toMatch(/^\s+at /m);
  expect(code).toBe(2);
});
