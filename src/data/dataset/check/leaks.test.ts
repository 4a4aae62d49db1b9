import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { coco, image, roboflow, root, text } from "../../../../tests/support/datasetFolder.ts";
import { loadDataset } from "../dataset.ts";
import { leakProblems, refuseLeaks } from "./leaks.ts";
import { scanDataset } from "./scan.ts";

it("pictures of the same bytes in two splits are refused with the command that parts them", async () => {
  await roboflow();
  await image("test/c.png", 20, 10, 3);
  await text("test/_annotations.coco.json", coco("c.png", 1, [1, 1, 2, 2]));
  const dataset = await loadDataset({ dir: root });
  expect(await leakProblems(dataset, { allowed: false })).toEqual([]);

  await copyFile(join(root, "train/a.png"), join(root, "valid/b.png"));
  const problems = await leakProblems(dataset, { allowed: false });
  const message = "b.png (val) is the same image as a.png (train): what is measured there is no longer held out.";
  expect(problems).toEqual([{ kind: "leak", severity: "error", split: "val", file: "b.png", message }]);
  expect(() => refuseLeaks(problems, { dir: "my/data", others: ["Warning: x"] })).toThrow(`${message}\nWarning: x`);
  const failed = (() => {
    try {
      refuseLeaks(problems, { dir: "my/data" });
    } catch (error) {
      return error;
    }
  })();
  expect(failed).toMatchObject({
    hint: expect.stringContaining("rfdetr-train data split --data my/data --val 0.2 --out NEW"),
  });
  expect((await scanDataset(dataset)).ok).toBe(false);

  const allowed = await leakProblems(dataset, { allowed: true });
  expect(allowed.map(({ severity }) => severity)).toEqual(["warning"]);
  expect(() => refuseLeaks(allowed, { dir: null })).not.toThrow();
  expect((await scanDataset(dataset, { allowLeaks: true })).ok).toBe(true);

  await copyFile(join(root, "train/a.png"), join(root, "test/c.png"));
  const both = await leakProblems(dataset, { allowed: false });
  expect(both.map(({ split }) => split)).toEqual(["val", "test"]);
});

it("pictures of the same bytes that are labelled otherwise in another split are said, and stop nobody", async () => {
  await roboflow(coco("a.png", 1, [1, 2, 3, 4]), coco("b.png", 1, [2, 2, 3, 4]));
  await copyFile(join(root, "train/a.png"), join(root, "valid/b.png"));
  const dataset = await loadDataset({ dir: root });
  const problems = await leakProblems(dataset, { allowed: false });
  const message =
    "b.png (val) is the same image as a.png (train), where it has other boxes: what is measured there is no longer held out.";
  expect(problems).toEqual([{ kind: "leak", severity: "warning", split: "val", file: "b.png", message }]);
  expect(await scanDataset(dataset)).toMatchObject({ ok: true, counts: { leak: 1 } });
});
