import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { launch } from "../../tests/support/launcher.ts";
import { summarise } from "./summary.mjs";

const recipe = fileURLToPath(new URL("../../recipes/quickstart.yaml", import.meta.url));

test("of a finished run it shows AP before and after on the test tiles, the curve, pictures, the ONNX file's time and what to do next", async () => {
  const home = await mkdtemp(join(tmpdir(), "quickstart-"));
  onTestFinished(() => rm(home, { recursive: true }));
  const folder = join(home, "run");
  const short = ["train.epochs=2", "eval.every_epochs=1", "model.resolution=64", "data.batch_size=16"];
  const { code, err } = await launch(["--recipe", recipe, "--run", folder, ...short.flatMap((set) => ["--set", set])]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const said = [];
  const log = vi.spyOn(console, "log").mockImplementation((text) => said.push(text));
  await summarise(folder);
  log.mockRestore();
  const text = said.join("\n");
  expect(text).toMatch(/AP50 on the validation tiles\n {2}epoch {2}1 .* 0\.\d{3}\n {2}epoch {2}2 .* 0\.\d{3}\n/);
  expect(text).toMatch(/\n {2}before {2}AP50 0\.0\d\d {3}AP50:95 0\.0\d\d\n {2}after {3}AP50 0\.\d{3}/);
  expect(text).toMatch(/model\.onnx: [\d.]+ ms from image file to detections, 95 % within [\d.]+ ms/);
  expect(text).toMatch(/rfdetr-train --recipe mine\.yaml --set data\.dir=FOLDER/);
  expect((await readdir(join(folder, "pictures"))).filter((name) => /\.(png|jpe?g)$/.test(name))).toHaveLength(9);
}, 240_000);
