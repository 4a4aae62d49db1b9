import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LAUNCHER } from "../../../tests/support/launcher.ts";
import { tinyDataset } from "../../../tests/support/tinyRun.ts";
import { TINY, tinyWeights } from "../../../tests/tinyModel.ts";
import { toFields } from "../../architecture/fields.ts";
import { writeWeightsFile } from "../../checkpoint/weightsFile.ts";
import type { ExportResult } from "../../export/exportOnnx.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "cli-export-"));
  await tinyDataset(join(dir, "data"));
  const modelConfig = toFields(TINY) as Record<string, string>;
  await writeWeightsFile(join(dir, "tiny.pth"), tinyWeights(), { modelConfig, classNames: ["red", "blue"] });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function rfdetr(...words: string[]) {
  const run = spawnSync(process.execPath, [LAUNCHER, ...words], { encoding: "utf8" });
  return { code: run.status, out: run.stdout, error: run.stderr };
}

test("export --json prints one object and nothing else; evaluate takes the file, and refuses a damaged one with code 2", async () => {
  const [weights, out, data] = [join(dir, "tiny.pth"), join(dir, "tiny.onnx"), join(dir, "data")];
  const exported = rfdetr("export", "--weights", weights, "--out", out, "--data", data, "--json");
  expect(exported).toMatchObject({ code: 0, error: "" });
  const { files, record } = JSON.parse(exported.out) as ExportResult;
  expect(files).toMatchObject([{ file: "tiny.onnx", kind: "plain", verified: { images: 3 } }]);
  expect(record).toBe(join(dir, "export.json"));
  expect((await readdir(dir)).filter((name) => name.includes("onnx"))).toEqual(["tiny.onnx"]);

  const measured = rfdetr("evaluate", "--weights", out, "--data", data, "--json");
  expect(measured).toMatchObject({ code: 0, error: "" });
  expect(JSON.parse(measured.out)["AP50:95"]).toBeCloseTo(files[0]!.verified!["AP50:95"]!.file, 9);

  await writeFile(out, "no model");
  const refused = rfdetr("evaluate", "--weights", out, "--data", data);
  expect(refused).toMatchObject({ code: 2, out: "" });
  expect(refused.error).toContain(`${out} is no ONNX model`);
  expect(refused.error).toContain("Hint: ");
});

test("what cannot be exported is told with code 2", () => {
  const wrong = rfdetr("export", "--weights", join(dir, "tiny.pth"), "--out", join(dir, "model.pth"));
  expect(wrong).toMatchObject({ code: 2, out: "", error: expect.stringContaining("does not end in .onnx") });
});
