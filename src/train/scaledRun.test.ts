import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, expectSameRun, tinyDataset, tinyRecipe } from "../../tests/support/tinyRun.ts";
import { loadBackend } from "../engine/backend.ts";
import { resume, train } from "./run.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "scaled-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test.each(["per-batch", "per-sample"] as const)(
  "a run with multi_scale: %s, drop path and re-sampling, stopped and resumed, ends in the same bytes as one that was not",
  async (multiScale) => {
    const tiny = tinyRecipe(join(dir, "data"), { train: { epochs: 1, drop_path: 0.4 } });
    const recipe = {
      ...tiny,
      data: { ...tiny.data, batch_size: 2, multi_scale: multiScale, resample: "balanced" as const },
    };
    const [whole, stopped] = ["whole", "stopped"].map((name) => join(dir, `${multiScale}-${name}`)) as [string, string];
    const { events, rows, end } = await collect((options) => train(recipe, { run: whole, ...options }));
    expect(end).toMatchObject({ status: "done", step: 5 });
    const each = multiScale === "per-batch" ? "update" : "image";
    expect(events[0]).toMatchObject({
      facts: expect.arrayContaining([
        { name: "Multi-scale", value: `6 sizes from 32 to 112 pixels, one for each ${each}` },
      ]),
    });
    expect(rows.at(-1)).toMatchObject({ split: "val" });
    await collect((options) => train(recipe, { run: stopped, ...options }), 2);
    await collect((options) => resume(stopped, options));
    await expectSameRun(whole, stopped);
  },
);

test("a run with pictures put together, pasted into and turned in all but its last epoch, and a share of empty ones, stopped twice and resumed, ends in the same bytes", async () => {
  const data = join(dir, "masked");
  await tinyDataset(data, { masks: true });
  const file = join(data, "train", "_annotations.coco.json");
  const coco = JSON.parse(await readFile(file, "utf8"));
  const annotations = coco.annotations.filter((one: { image_id: number }) => ![0, 2, 4].includes(one.image_id));
  await writeFile(file, JSON.stringify({ ...coco, annotations }));
  const tiny = tinyRecipe(data, { train: { epochs: 2 } });
  const augment: typeof tiny.data.augment = [
    { name: "horizontal_flip", p: 0.5 },
    { name: "mosaic", center_range: [0.3, 0.7], p: 0.6 },
    { name: "copy_paste", share: 0.5, p: 0.6 },
    { name: "rotate", limit: 20, fill: 0, p: 0.5 },
  ];
  const recipe = {
    ...tiny,
    data: { ...tiny.data, augment, close_augment_epochs: 1, negatives: 0.2, batch_size: 2 },
  };
  const [whole, stopped] = ["augmented-whole", "augmented-stopped"].map((name) => join(dir, name)) as [string, string];
  const { end } = await collect((options) => train(recipe, { run: whole, ...options }));
  expect(end).toMatchObject({ status: "done", step: 10 });
  await collect((options) => train(recipe, { run: stopped, ...options }), 2);
  await collect((options) => resume(stopped, options), 7);
  await collect((options) => resume(stopped, options));
  await expectSameRun(whole, stopped);
});
