import { appendFile, mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { TrainRow, ValRow } from "../events.ts";
import { openMetricsFile, readMetrics } from "./metricsFile.ts";
import { resultsCsv } from "./resultsCsv.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "metrics-"));
  path = join(folder, "metrics.jsonl");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const train = (step: number, epoch = 0, loss = 10 - step): TrainRow => ({
  ...{ step, epoch, split: "train", loss, class_error: 50, grad_norm: 1, lr: 1e-4, lr_encoder: 1e-5 },
  ...{ images_per_second: 3, data_wait: 0 },
});
const evaluation = (step: number, epoch = 0): ValRow => ({
  ...{ step, epoch, split: "val", "AP50:95": 0.25, AP50: 0.5, AP75: 0.125, AR: 0.3, per_class: { tree: 0.25 } },
});

it("a file that is larger than the rows of any run is refused before it is read", async () => {
  await writeFile(path, "");
  await truncate(path, 2 ** 31);
  await expect(openMetricsFile(path)).rejects.toThrow(/metrics\.jsonl is 2147483648 bytes long/);
});

it("rows come back as they were appended", async () => {
  const file = await openMetricsFile(path);
  for (const row of [train(1), train(2), evaluation(2)]) await file.append(row);
  expect(file.rows).toBe(3);
  await file.close();
  expect(await readMetrics(path)).toEqual([train(1), train(2), evaluation(2)]);
});

it("on a full disk rows wait in memory, whole and in order, until there is room; other trouble is thrown and keeps none", async () => {
  const file = await openMetricsFile(path);
  await file.append(train(1));
  const probe = await open(path);
  const prototype = Object.getPrototypeOf(probe);
  await probe.close();
  const failing = (code: string) =>
    vi.spyOn(prototype, "appendFile").mockImplementation(async function (this: unknown, data) {
      await put(this, (data as Uint8Array).subarray(0, 9)); // the half of a line
      throw Object.assign(new Error(code), { code });
    });
  const real = prototype.appendFile as (data: Uint8Array) => Promise<void>;
  const put = (handle: unknown, data: Uint8Array) => real.call(handle, data);
  failing("ENOSPC");
  await file.append(train(2));
  await file.append(evaluation(2));
  expect(file.rows).toBe(1);
  expect(await readFile(path, "utf8")).toBe(`${JSON.stringify(train(1))}\n`);
  await expect(file.sync()).rejects.toThrow(/metrics\.jsonl: no space left/);
  failing("EIO");
  await expect(file.append(train(3))).rejects.toThrow(/metrics\.jsonl/);
  vi.restoreAllMocks();
  await file.sync();
  expect(file.rows).toBe(3);
  await file.append(train(4));
  await file.close();
  expect(await readMetrics(path)).toEqual([train(1), train(2), evaluation(2), train(4)]);
});

it("a last line that a crash tore is cut off, and appending goes on", async () => {
  const whole = `${JSON.stringify(train(1))}\n`;
  for (const torn of [JSON.stringify(train(2)).slice(0, 20), JSON.stringify(train(2)), "\0\0\0\0", '{"step":\n']) {
    await writeFile(path, whole + torn);
    expect(await readMetrics(path)).toEqual([train(1)]);
    const file = await openMetricsFile(path);
    expect(file.cut).toEqual({ tornBytes: torn.length, rows: 0 });
    await file.append(train(2));
    await file.close();
    expect(await readFile(path, "utf8")).toBe(`${whole}${JSON.stringify(train(2))}\n`);
  }
});

it("resuming cuts the rows after the checkpoint, so that the file ends up as if it was never interrupted", async () => {
  const rows = [train(1), train(2), evaluation(2), train(3, 1), train(4, 1), evaluation(4, 1)];
  const straight = await openMetricsFile(path);
  for (const row of rows) await straight.append(row);
  await straight.close();
  const expected = await readFile(path, "utf8");
  for (const until of [{ throughStep: 2 }, { rows: 3 }, { rows: 2 }, { throughStep: 0 }]) {
    const file = await openMetricsFile(path, until);
    for (const row of rows.slice(file.rows)) await file.append(row);
    await file.close();
    expect(await readFile(path, "utf8")).toBe(expected);
  }
});

it("a line in the middle that is no row is named", async () => {
  await writeFile(path, `${JSON.stringify(train(1))}\nhello\n${JSON.stringify(train(2))}\n`);
  await expect(openMetricsFile(path)).rejects.toThrow(`${path}:2: this line is no metrics row.`);
  await appendFile(path, "x");
  await expect(readMetrics(path)).rejects.toThrow(":2:");
});

it("a place that cannot be written is named", async () => {
  await expect(openMetricsFile(join(folder, "no", "metrics.jsonl"))).rejects.toThrow("no such file or folder");
  await expect(readMetrics(join(folder, "none.jsonl"))).rejects.toThrow("Cannot read");
});

it("results.csv has one row an epoch with the means of training and the evaluation's metrics", () => {
  const rows = [train(1), train(2), evaluation(2), train(3, 1)];
  expect(resultsCsv(rows)).toBe(
    [
      "epoch,step,train/loss,train/class_error,train/grad_norm,train/lr,train/lr_encoder,train/images_per_second,train/data_wait,val/AP50:95,val/AP50,val/AP75,val/AR",
      "0,2,8.5,50,1,0.0001,0.00001,3,0,0.25,0.5,0.125,0.3",
      "1,3,7,50,1,0.0001,0.00001,3,0,,,,",
      "",
    ].join("\n"),
  );
  expect(resultsCsv([])).toBe("epoch,step\n");
});

it("rows of splits that are not known, without classes or nested without end make no table fail", async () => {
  const odd = [
    { ...train(1), split: "extra" },
    { ...train(2), split: "constructor" },
    { ...evaluation(3), per_class: null },
  ];
  await writeFile(path, odd.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const rows = await readMetrics(path);
  expect(rows).toHaveLength(3);
  expect(rows[2]).toMatchObject({ per_class: {} });
  expect(resultsCsv(rows).split("\n")).toHaveLength(3);
  const deep = `{"step": 1, "epoch": 0, "split": "train", "x": ${"[".repeat(5000)}${"]".repeat(5000)}}`;
  await writeFile(path, `${deep}\n${deep}\n`);
  await expect(readMetrics(path)).rejects.toThrow(/is no metrics row/);
});
