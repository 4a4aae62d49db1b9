import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadBackend } from "../src/engine/backend.ts";
import type { TrainRow, ValRow } from "../src/run/events.ts";
import { resume, train } from "../src/train/run.ts";
import { collect, expectSameRun, tinyDataset, tinyRecipe } from "./support/tinyRun.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "segmenter-run-"));
  await tinyDataset(join(dir, "data"), { masks: true });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const recipe = (train: object = {}) => tinyRecipe(join(dir, "data"), { model: { segmentation_head: true }, train });

test("a segmenter trains by its masks, says which have none, and has its rows, evaluations and predictions", async () => {
  const { rows, events, end } = await collect((options) => train(recipe(), { run: join(dir, "whole"), ...options }));
  expect(end.status).toBe("done");
  const trained = rows.filter((row): row is TrainRow => row.split === "train");
  const terms = [
    "loss_mask_ce",
    "loss_mask_dice",
    "loss_mask_ce_0",
    "loss_mask_dice_0",
    "loss_mask_ce_enc",
    "loss_mask_dice_enc",
  ];
  for (const row of trained) for (const term of terms) expect(row[term as "loss_ce"], term).toBeGreaterThanOrEqual(0);
  expect(trained.some((row) => row.loss_mask_ce! > 0)).toBe(true);
  const evaluated = rows.filter((row): row is ValRow => row.split === "val");
  expect(evaluated.at(-1)!.val_loss_mask_dice).toBeGreaterThan(0);
  expect(evaluated.at(-1)!["segm AP50:95" as "AP50:95"]).toBeGreaterThanOrEqual(0);
  const facts = events.flatMap((event) => (event.type === "start" ? event.facts : []));
  expect(facts.find(({ name }) => name === "Masks")?.value).toBe(
    "2 of 10 training objects have none: their masks are not trained (train.missing_masks is skip)",
  );
});

test("a segmenter's run that was stopped and resumed has the same rows and bytes", async () => {
  const run = join(dir, "stopped");
  await collect((options) => train(recipe(), { run, ...options }), 5);
  await collect((options) => resume(run, options));
  await expectSameRun(join(dir, "whole"), run);
});
