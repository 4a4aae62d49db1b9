import { createHash } from "node:crypto";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { pythonJson, requirePython } from "../../../tests/support/python.ts";
import type { Environment } from "../../run/environment.ts";
import type { MetricsRow, TrainRow } from "../../run/events.ts";
import type { Histogram } from "../../util/histogram.ts";
import { readFields } from "../../util/protobuf.ts";
import type { TrackedPicture } from "../tracker.ts";
import { openTensorboard } from "./tensorboard.ts";
import { followReached } from "./tensorboardEvents.ts";
import { readRecords } from "./tfrecord.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "tensorboard-"));
});
afterEach(() => rm(dir, { recursive: true }));

const train = (step: number, loss = 1 / step): MetricsRow =>
  ({ step, epoch: 0, split: "train", loss, lr: 1e-4, grad_norm: Number.NaN }) as TrainRow;
const val = (step: number, ap: number): MetricsRow => ({
  ...{ step, epoch: 0, split: "val", "AP50:95": ap, AP50: 0.5, AP75: null, AR: 0.25 },
  per_class: { "oak | <b>red</b>\n": ap },
});
const recipe = { name: "trees", train: { lr: 1e-4 } };
const start = (step = 0, onNotice: (message: string) => void = () => {}) =>
  openTensorboard({ dir, name: "trees", recipe, environment: {} as Environment, step, onNotice });
const folder = () => join(dir, "tensorboard");
const names = async () => (await readdir(folder())).sort();

/** Write rows as a run does: to metrics.jsonl first, then to TensorBoard. */
async function runRows(rows: readonly MetricsRow[], from = 0): Promise<void> {
  const tracker = start(from);
  for (const row of rows) {
    await appendFile(join(dir, "metrics.jsonl"), `${JSON.stringify(row)}\n`);
    tracker.row(row);
  }
  await tracker.close("done");
}

/** How far the scalars of all files go. */
async function reached(): Promise<Record<string, number>> {
  const groups = new Map<string, number>();
  for (const name of await names()) {
    for await (const event of readRecords(join(folder(), name))) followReached(groups, event);
  }
  return Object.fromEntries(groups);
}

test("a run makes one file, and a run that goes on makes a later one, even if the clock has gone back", async () => {
  await runRows([train(1), train(2), val(2, 0.5)]);
  const [first] = await names();
  expect(first).toMatch(/^events\.out\.tfevents\.\d{10}\./);
  expect(await reached()).toEqual({ epoch: 2, train: 2, val: 2 });
  const clock = vi.spyOn(Date, "now").mockReturnValue(1e12);
  await runRows([train(3)], 2).finally(() => clock.mockRestore());
  expect((await names())[0]).toBe(first);
  expect((await names())[1]! > first!).toBe(true);
  expect(await reached()).toEqual({ epoch: 3, train: 3, val: 2 });
});

test("a row that is made up for bears the time at which it was made", async () => {
  const time = "2026-01-02T03:04:05.500Z";
  await appendFile(join(dir, "metrics.jsonl"), `${JSON.stringify({ ...train(1), time })}\n`);
  const tracker = start(1);
  tracker.row(train(2));
  await tracker.close("done");
  const walls: Uint8Array[] = [];
  const doubleOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
  const [name] = await names();
  for await (const event of readRecords(join(folder(), name!))) {
    walls.push([...readFields(event)].find(({ field }) => field === 1)!.value as Uint8Array);
  }
  expect(walls.map(doubleOf)).toContain(Date.parse(time) / 1000);
  expect(await reached()).toEqual({ epoch: 2, train: 2 });
});

test("trouble is told once and harms nothing; what was missed is written once it is mended", async () => {
  await writeFile(folder(), "in the way");
  const notices: string[] = [];
  const tracker = start(0, (message) => notices.push(message));
  tracker.row(train(1));
  await vi.waitFor(() => expect(notices).toHaveLength(1));
  tracker.row(train(2));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(notices).toEqual([expect.stringMatching(/^TensorBoard files cannot be written: .*not a folder\. Training/)]);
  await rm(folder());
  tracker.row(train(3));
  await tracker.close("done");
  expect(await reached()).toEqual({ epoch: 3, train: 3 });
});

const histogram: Histogram = {
  ...{ min: -1, max: 2, num: 4, sum: 2.5, sumSquares: 6.25 },
  ...{ limits: [-0.75, -0.5, -0.25, 0, 1, 2], counts: [0, 1, 0, 0, 2, 1] },
};

async function picture(name: string, width: number, format: "jpeg" | "png"): Promise<TrackedPicture> {
  const height = 5;
  const image = sharp({ create: { width, height, channels: 3, background: { r: width, g: 80, b: 40 } } });
  const data = await image[format]().toBuffer();
  return { name, caption: `a|b of\n<i>${name}</i>`, format, data, width, height };
}

type Found = {
  scalars: Record<string, [number, number][]>;
  images: Record<string, [number, number, number, string][]>;
  histograms: Record<string, [number, Record<string, number | number[]>][]>;
  texts: Record<string, [number, string][]>;
  /** Steps by tag that the web application would show. */
  served: Record<string, number[]>;
};

describe("TensorBoard's own reader", () => {
  const script = join(import.meta.dirname, "../../../tests/support/read_tensorboard.py");
  const find = async (context: Parameters<typeof requirePython>[0]): Promise<Found> =>
    pythonJson<Found>(await requirePython(context, ["tensorboard"]), script, { args: [folder()] });
  const stepsOf = (series: [number, ...unknown[]][] | undefined) => series?.map(([step]) => step);

  test("finds every scalar, picture, histogram and text", async (context) => {
    await requirePython(context, ["tensorboard"]);
    const rows = [...Array.from({ length: 300 }, (_, i) => train(i + 1)), val(300, 0.75)];
    const tracker = start();
    for (const row of rows) tracker.row(row);
    const pictures = [await picture("worst/1", 7, "jpeg"), await picture("best/1", 11, "png")];
    tracker.pictures({ step: 300, epoch: 0 }, pictures);
    tracker.histograms({ step: 300 }, new Map([["decoder.layers.0.norm.weight", histogram]]));
    await tracker.close("done");
    const found = await find(context);
    expect(found.scalars).toEqual({
      epoch: rows.slice(0, 300).map(({ step }) => [step, 0]),
      "train/loss": rows.slice(0, 300).map(({ step }) => [step, Math.fround(1 / step)]),
      "train/lr": rows.slice(0, 300).map(({ step }) => [step, Math.fround(1e-4)]),
      "val/AP50:95": [[300, 0.75]],
      "val/AP50": [[300, 0.5]],
      "val/AR": [[300, 0.25]],
      "val/per_class/oak | <b>red</b>\n": [[300, 0.75]],
    });
    const sum = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
    expect(found.images).toEqual({
      "val/worst/1": [[300, 7, 5, sum(pictures[0]!.data)]],
      "val/best/1": [[300, 11, 5, sum(pictures[1]!.data)]],
    });
    const { limits: _, counts: __, sumSquares, ...moments } = histogram;
    const buckets = { bucket_limit: [-0.75, -0.5, 0, 1, 2], bucket: [0, 1, 0, 2, 1] }; // empty ones that touch are one
    expect(found.histograms["gradients/decoder.layers.0.norm.weight"]).toEqual([
      [300, { ...moments, sum_squares: sumSquares, ...buckets }],
    ]);
    expect(JSON.parse(found.texts.recipe![0]![1])).toEqual(recipe);
    expect(found.texts["val/captions"]![0]![1]).toContain("| worst/1 | a\\|b of <i>worst/1</i> |");
  });

  test("finds the steps that were done again once, though their first time was torn by a crash", async (context) => {
    await requirePython(context, ["tensorboard"]);
    await runRows([train(1), train(2), val(2, 0.5), train(3, 30), train(4, 40)]);
    const first = join(folder(), (await names())[0]!);
    await truncate(first, (await stat(first)).size - 5);
    await writeFile(
      join(dir, "metrics.jsonl"),
      [train(1), train(2), val(2, 0.5)].map((row) => `${JSON.stringify(row)}\n`).join(""),
    );
    await runRows([train(3), train(4), val(4, 0.75)], 2);
    const { scalars, served } = await find(context);
    expect(scalars["train/loss"]).toEqual([1, 2, 3, 4].map((step) => [step, Math.fround(1 / step)]));
    expect(stepsOf(scalars["val/AP50:95"])).toEqual([2, 4]);
    expect(served).toMatchObject({ "train/loss": [1, 2, 3, 4], "val/AP50:95": [2, 4], recipe: [0, 2] });
  });

  test("finds an evaluation once that was lost with a crash and done again", async (context) => {
    await requirePython(context, ["tensorboard"]);
    await runRows([train(1), train(2), val(2, 0.5)]);
    await writeFile(join(dir, "metrics.jsonl"), [train(1), train(2)].map((row) => `${JSON.stringify(row)}\n`).join(""));
    await runRows([val(2, 0.75), train(3)], 2);
    const { scalars, served } = await find(context);
    expect(scalars["val/AP50:95"]).toEqual([[2, 0.75]]);
    expect(served).toMatchObject({ "train/loss": [1, 2, 3], "val/AP50:95": [2] });
  });

  test("finds rows again that the files had lost, and no row twice", async (context) => {
    await requirePython(context, ["tensorboard"]);
    await runRows([train(1), train(2), val(2, 0.5), train(3)]);
    const first = join(folder(), (await names())[0]!);
    const lost = (await readFile(first)).lastIndexOf("val/AP50:95");
    await truncate(first, lost);
    await runRows([train(4)], 3);
    expect(stepsOf((await find(context)).scalars["train/loss"])).toEqual([1, 2, 3, 4]);
    expect(stepsOf((await find(context)).scalars["val/AR"])).toEqual([2]);
    await rm(folder(), { recursive: true });
    await runRows([train(5)], 4);
    expect(stepsOf((await find(context)).scalars["train/loss"])).toEqual([1, 2, 3, 4, 5]);
  });

  test("finds all of a run that was started again from its beginning", async (context) => {
    await requirePython(context, ["tensorboard"]);
    await runRows([train(1, 10), train(2, 20), train(3, 30)]);
    await rm(join(dir, "metrics.jsonl"));
    await runRows([train(1)], 0);
    const { scalars, served } = await find(context);
    expect(scalars["train/loss"]).toEqual([[1, 1]]);
    expect(served["train/loss"]).toEqual([1]);
  });
});

test("files that are no event files are left alone", async () => {
  await mkdir(folder());
  await writeFile(join(folder(), "notes.txt"), "mine");
  await runRows([train(1)]);
  expect(await readFile(join(folder(), "notes.txt"), "utf8")).toBe("mine");
});
