import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launch } from "../../../tests/support/launcher.ts";
import { tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { formatRecipe } from "../../recipe/load.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "cli-dry-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it("a dry run ends with the command that trains what it has tried, and says each time once", async () => {
  const path = join(dir, "tiny.yaml");
  await writeFile(path, formatRecipe(tinyRecipe(join(dir, "data"), { export: { onnx: true } })));
  const words = ["--recipe", path, "--set", "train.lr=0.002", "--set", "train.schedule={ name: constant }"];
  const { code, out, err } = await launch([...words, "--overfit", "2", "--dry-run"]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const command = `rfdetr-train --recipe ${path} --set train.lr=0.002 --set 'train.schedule={ name: constant }' --overfit 2`;
  expect(out.trimEnd().split("\n").at(-1)).toBe(`Train with: ${command}`);
  expect(out).toMatch(/ok {2}export .*\(\d+\.\d s\)\n/);
  expect(out).not.toMatch(/s\) \(/);
}, 120_000);
