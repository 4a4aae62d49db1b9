import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readExported } from "./exported.ts";

test("entries of export.json that a page could not show are left out", async () => {
  const dir = await mkdtemp(join(tmpdir(), "exported-"));
  const verified = { on: "val", images: 3 };
  const whole = { file: "model.onnx", kind: "plain", bytes: 12, verified };
  const odd = [{ ...whole, verified: { on: "val" } }, { ...whole, verified: {} }, { ...whole, kind: 7 }, null, 3];
  await writeFile(join(dir, "export.json"), JSON.stringify({ files: [...odd, whole, { ...whole, verified: null }] }));
  expect(await readExported(dir)).toEqual([whole, { ...whole, verified: null }]);
});
