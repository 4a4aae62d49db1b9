// A real run, stopped and resumed: what TensorBoard and W&B are shown afterwards is what metrics.jsonl says.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadBackend } from "../src/engine/backend.ts";
import { FURTHER_METRICS } from "../src/instance/metrics.ts";
import { readMetrics } from "../src/run/records/metricsFile.ts";
import { readRecords } from "../src/track/tensorboard/tfrecord.ts";
import { writeWandbFile } from "../src/track/wandb/file/file.ts";
import { flatRow, historyRows } from "../src/track/wandb/folder/rows.ts";
import { resume, train } from "../src/train/run.ts";
import { rollback } from "../src/train/verbs/rollback.ts";
import { readFields } from "../src/util/protobuf.ts";
import { collect, tinyDataset, tinyRecipe } from "./support/tinyRun.ts";
import { readWandbValues } from "./support/wandbFile.ts";

let dir: string;
let run: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "tracking-"));
  await tinyDataset(join(dir, "data"), { test: true });
  run = join(dir, "run");
  const wandb = { project: "trees", mode: "offline" as const };
  const recipe = tinyRecipe(join(dir, "data"), { track: { tensorboard: true, gradient_histograms: true, wandb } });
  await collect((options) => train(recipe, { run, ...options }), 7);
  await rollback(run, "0000-00000005"); // so that steps 6 and 7 are done twice
  await collect((options) => resume(run, options));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Values by tag and step that a reader of the event files ends with: a restart takes back what came after its step. */
async function eventsOf(folder: string): Promise<Map<string, Map<number, number | "picture" | "histogram">>> {
  const series = new Map<string, Map<number, number | "picture" | "histogram">>();
  for (const name of (await readdir(folder)).sort()) {
    for await (const record of readRecords(join(folder, name))) {
      const event = new Map([...readFields(record)].map(({ field, value }) => [field, value]));
      const step = Number(event.get(2) ?? 0n);
      if (event.has(7))
        for (const steps of series.values()) for (const at of steps.keys()) if (at >= step) steps.delete(at);
      for (const { value } of event.has(5) ? readFields(event.get(5) as Uint8Array) : []) {
        const parts = new Map([...readFields(value as Uint8Array)].map((part) => [part.field, part.value]));
        const tag = Buffer.from(parts.get(1) as Uint8Array).toString();
        const scalar = parts.get(2) as Buffer | undefined;
        const shown = scalar ? Buffer.from(scalar).readFloatLE() : parts.has(4) ? "picture" : "histogram";
        if (!series.has(tag)) series.set(tag, new Map());
        expect(series.get(tag)!.has(step), `${tag} of step ${step} twice`).toBe(false);
        series.get(tag)!.set(step, shown);
      }
    }
  }
  return series;
}

test("evaluations have precision, recall, F1, AP by size and the loss, in rows, results.csv, TensorBoard, W&B and the report", async () => {
  const row = (await readMetrics(join(run, "metrics.jsonl"))).findLast(({ split }) => split === "val")!;
  const names = [...FURTHER_METRICS, "val_loss", "val_loss_ce", "val_loss_bbox", "val_loss_giou"];
  expect(Object.keys(row)).toEqual(expect.arrayContaining(names));
  // in pictures of 40 pixels no object is medium or large: null in the row, and nowhere else
  const shown = names.filter((name) => !["APm", "APl"].includes(name)).map((name) => `val/${name}`);
  const events = await eventsOf(join(run, "tensorboard"));
  const columns = (await readFile(join(run, "results.csv"), "utf8")).split("\n")[0]!.split(",");
  for (const all of [columns, [...events.keys()], Object.keys(flatRow(row))])
    expect(all).toEqual(expect.arrayContaining(shown));
  const page = await readFile(join(run, "report.html"), "utf8");
  for (const chart of ["found", "ap-sizes", "epoch-loss"]) expect(page).toContain(`data-chart="${chart}"`);
});

test("TensorBoard has every number of metrics.jsonl once, and pictures and histograms of the steps that counted", async () => {
  const rows = await readMetrics(join(run, "metrics.jsonl"));
  const events = await eventsOf(join(run, "tensorboard"));
  for (const row of rows) {
    const { _step, epoch: _, ...values } = flatRow(row);
    for (const [tag, value] of Object.entries(values)) expect(events.get(tag)!.get(_step)).toBe(Math.fround(value));
  }
  expect([...events.get("train/loss")!.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect([...events.get("val/AP50")!.keys()]).toEqual([5, 10]);
  expect([...events.get("test/AP50")!.keys()]).toEqual([10]); // of the best weights, once
  expect([...events.get("val/worst-1")!]).toEqual([
    [5, "picture"],
    [10, "picture"],
  ]);
  const histogram = [...events.keys()].find((tag) => tag.startsWith("gradients/decoder."))!;
  expect([...events.get(histogram)!.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("the folder for wandb sync has every row of metrics.jsonl, the pictures, and the best checkpoint", async () => {
  const { file, folder, checkpoint, pictures } = await writeWandbFile({ dir: run });
  const rows = readWandbValues(await readFile(file)).filter(([kind]) => kind === "history");
  const shown = historyRows(await readMetrics(join(run, "metrics.jsonl")));
  expect(rows.map(([, row]) => row)).toEqual(shown.map((row) => expect.objectContaining(row)));
  expect(rows.find(([, { _step }]) => _step === 10)![1]).toHaveProperty("test/AP50");
  expect(rows.find(([, { _step }]) => _step === 10)![1]).toMatchObject({ "val/worst-1": { _type: "image-file" } });
  expect(pictures).toBe((await readdir(join(folder, "files", "media", "images"))).length);
  expect(await readdir(join(folder, "checkpoint", checkpoint!))).toContain("model.safetensors");
});
