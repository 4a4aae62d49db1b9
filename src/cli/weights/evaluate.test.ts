import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LAUNCHER } from "../../../tests/support/launcher.ts";

const folder = mkdtempSync(join(tmpdir(), "rfdetr-evaluate-"));
const [annotations, predictions] = [join(folder, "gt.json"), join(folder, "results.json")];

function evaluate(...words: string[]) {
  const run = spawnSync(process.execPath, [LAUNCHER, "evaluate", ...words], { encoding: "utf8" });
  return { code: run.status, out: run.stdout, error: run.stderr };
}

beforeAll(() => {
  const truth = {
    images: [{ id: 1 }],
    categories: [{ id: 4, name: "tree" }],
    annotations: [{ id: 1, image_id: 1, category_id: 4, bbox: [0, 0, 50, 50], area: 2500, iscrowd: 0 }],
  };
  writeFileSync(annotations, JSON.stringify(truth));
  const found = { image_id: 1, category_id: 4, bbox: [0, 0, 50, 50], score: 0.5 };
  writeFileSync(predictions, JSON.stringify([found, { ...found, category_id: 5 }]));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("--json prints one object with the metrics and nothing else", () => {
  const { code, out } = evaluate("--predictions", predictions, "--annotations", annotations, "--json");
  expect(code).toBe(0);
  const result = JSON.parse(out);
  expect(result["AP50:95"]).toBeCloseTo(1, 9);
  expect(result).toMatchObject({ images: 1, detections: 1, APs: -1, F1: 1, per_class: { tree: { annotations: 1 } } });
});

test("the table names each class and says what was left out", () => {
  const { code, out } = evaluate("--predictions", predictions, "--annotations", annotations);
  expect(code).toBe(0);
  expect(out).toContain("1 detection of category 5, which is not annotated");
  expect(out).toMatch(/^tree\s+1\.0000\s+1\.0000\s+1\.0000\s+1\.0000\s+1$/m);
});

test("half of an input, or two inputs, is told with exit code 2", () => {
  const half = evaluate("--predictions", predictions);
  expect(half).toMatchObject({ code: 2, out: "" });
  expect(half.error).toContain("evaluate needs --annotations.");
  const both = evaluate("--predictions", predictions, "--weights", "rf-detr-nano");
  expect(both).toMatchObject({ code: 2, out: "" });
});
