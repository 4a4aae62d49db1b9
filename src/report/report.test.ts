import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeLongRun } from "../../tests/support/longRun.ts";
import type { MetricsRow } from "../run/events.ts";
import { readRunFolder, runTitle } from "../run/runFolder.ts";
import { readLog } from "../run/runLog.ts";
import { compareRuns } from "./comparison.ts";
import { html, json, raw } from "./page/html.ts";
import { recipeDifference, shownValue } from "./recipeDifference.ts";
import { runSeries } from "./series.ts";
import { change, duration, moment, shellWord, trainingTexts } from "./text.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "report-parts-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("text in a template is escaped, HTML in it stays, and nothing is nothing", () => {
  const bold = html`<b>${"<&>\"'"}</b>`;
  expect(bold.text).toBe("<b>&lt;&amp;&gt;&quot;&#39;</b>");
  expect(html`${bold}${[raw("<i>"), 1, null, undefined, false]}`.text).toBe(`${bold.text}<i>1`);
  expect(html`${"a\u0000\ud800b\tc"}`.text).toBe("a\ufffd\ufffdb\tc");
});

test("a run's title tells it from others of its recipe", () => {
  expect(runTitle({ name: "trees", dir: "checkpoints/trees" })).toBe("trees");
  expect(runTitle({ name: "trees", dir: "runs/trees-2/" })).toBe("trees-2");
  expect(runTitle({ name: "trees", dir: "runs/high-lr" })).toBe("trees (high-lr)");
});

test("JSON in a script element cannot end it", () => {
  const value = { "</script>": "<!-- \u2028" };
  const { text } = json(value);
  expect(text).not.toMatch(/[<\u2028]/);
  expect(JSON.parse(text)).toEqual(value);
});

const trained = (step: number, epoch: number, more: object = {}) =>
  ({ step, epoch, split: "train", loss: 100 - step, lr: step, ...more }) as unknown as MetricsRow;
const evaluated = (step: number, epoch: number, per_class: Record<string, number | null> = {}) =>
  ({ step, epoch, split: "val", "AP50:95": step / 1000, AP50: null, AP75: null, AR: null, per_class }) as MetricsRow;

test("a long run has few points, whose means are those of its rows, and whose end is its end", () => {
  const rows = Array.from({ length: 100_000 }, (_, i) => trained(i + 1, Math.floor(i / 1000), { loss: i % 2 }));
  const { train } = runSeries(rows, { stepsPerEpoch: 1000 });
  expect(train.x.length).toBeLessThanOrEqual(360);
  expect(train.x.at(-1)).toBe(100);
  expect(train.values.loss!.every((loss) => Math.abs(loss! - 0.5) < 0.01)).toBe(true);
  expect(train.values.lr!.at(-1)).toBe(100_000);
});

test("the axis is epochs where their length is known or can be told from the rows, else steps", () => {
  const rows = [trained(5, 0), trained(10, 0), evaluated(10, 0), trained(15, 1)];
  expect(runSeries(rows)).toMatchObject({ unit: "epoch", train: { x: [0.5, 1, 1.5] }, val: { x: [1] } });
  expect(runSeries(rows, { stepsPerEpoch: 20 })).toMatchObject({ unit: "epoch", val: { x: [0.5] } });
  expect(runSeries(rows.slice(0, 3))).toMatchObject({ unit: "step", train: { x: [5, 10] }, val: { x: [10] } });
  expect(runSeries([])).toMatchObject({ unit: "step", train: { x: [] }, val: { x: [] }, perClass: {} });
});

test("losses by epoch are those of its last row and of evaluations, wherever either is", () => {
  const rows = [
    trained(4, 0),
    trained(5, 0, { epoch_mean: { steps: 5, loss: 8 } }),
    { ...evaluated(5, 0), val_loss: 9 },
    trained(10, 1, { epoch_mean: { steps: 5, loss: 7 } }),
    { ...evaluated(12, 2), val_loss: 6 },
    { ...evaluated(13, 2), val_loss: null },
  ] as MetricsRow[];
  expect(runSeries(rows, { stepsPerEpoch: 5 }).losses).toEqual({
    ...{ x: [1, 2, 2.4], step: [5, 10, 12], epoch: [0, 1, 2] },
    values: { training: [8, 7, null], validation: [9, null, 6] },
  });
  expect(runSeries([trained(1, 0), evaluated(1, 0)]).losses.x).toEqual([]);
});

test("a class that comes later, and a loss that is no number, leave gaps", () => {
  const rows = [
    trained(1, 0, { loss: null }),
    evaluated(1, 0, { heron: 0.5 }),
    evaluated(2, 1, { heron: null, stork: 0.25, ["__proto__"]: 1 }),
  ];
  const { perClass, train } = runSeries(rows);
  expect(Object.entries(perClass)).toEqual([
    ["heron", [0.5, null]],
    ["stork", [null, 0.25]],
    ["__proto__", [null, 1]],
  ]);
  expect(train.values.loss).toEqual([null]);
});

test("a log tells how long a run trained, without its pauses, and how it stands", async () => {
  const path = join(dir, "log.jsonl");
  const line = (minute: number, msg: string, more: object = {}) =>
    JSON.stringify({ level: 30, time: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(), pid: 1, ...more, msg });
  const facts = [
    { name: "Device", value: "cpu" },
    { name: "train", value: "7 images", under: "Data" },
  ];
  const lines = [
    line(0, "started", { step: 0, facts: ["old"] }),
    line(1, "learning rates", { epoch: 0 }),
    line(10, "interrupted", { step: 5 }),
    line(100, "resumed", { step: 5, facts, size: { epochs: 3, stepsPerEpoch: 4, totalSteps: 12 } }),
    line(110, "a thing to know", { level: 40 }),
  ];
  await writeFile(path, `${lines.join("\n")}\n{"level":30,"ti`);
  const log = await readLog(path);
  expect(log).toMatchObject({ status: "running", seconds: 1200, facts, size: { stepsPerEpoch: 4 } });
  const sentences = ["Device: cpu", "  train: 7 images", "Only the first 2 are used", 3];
  await writeFile(path, `${line(0, "started", { facts: sentences })}\n`);
  const read = [...facts, { name: "", value: "Only the first 2 are used" }, { name: "", value: "3" }];
  expect((await readLog(path)).facts).toEqual(read);
  expect(log.events.map(({ level, message }) => `${level} ${message}`)).toEqual([
    "info Started, at step 0",
    "info Interrupted, at step 5",
    "info Resumed, at step 5",
    "warning A thing to know",
  ]);
  await writeFile(
    path,
    `${lines.join("\n")}\n${line(120, "failed", { level: 50, error: { message: "no memory" } })}\n`,
  );
  expect(await readLog(path)).toMatchObject({ status: "failed", seconds: 1800 });
  expect((await readLog(path)).events.at(-1)!.message).toBe("failed: no memory".replace("f", "F"));
  expect(await readLog(join(dir, "none.jsonl"))).toMatchObject({ status: "running", seconds: null, events: [] });
});

test("recipes are compared key by key, lists as a whole", () => {
  const a = { train: { lr: 1, stages: [{ from_epoch: 0 }], ema: "none" }, seed: 7 };
  const b = { train: { lr: 2, stages: [{ from_epoch: 1 }], ema: { decay: 0.9 } }, seed: 7 };
  expect(recipeDifference(a, b)).toEqual([
    { key: "train.lr", a: 1, b: 2 },
    { key: "train.stages", a: [{ from_epoch: 0 }], b: [{ from_epoch: 1 }] },
    { key: "train.ema", a: "none", b: undefined },
    { key: "train.ema.decay", a: undefined, b: 0.9 },
  ]);
  expect(recipeDifference(a, structuredClone(a))).toEqual([]);
  expect([null, undefined, "a: b", [1, 2], 1e-5].map(shownValue)).toEqual([
    "null",
    "–",
    '"a: b"',
    "[ 1, 2 ]",
    "0.00001",
  ]);
});

test("what two trainings cost is said as people say it", () => {
  const texts = (name: string, a: number | null, b: number | null) =>
    trainingTexts({ name, a, b, change: a === null || b === null ? null : b - a }).texts;
  expect(trainingTexts({ name: "minutes", a: 0.3619, b: 95, change: 94.6381 })).toEqual({
    name: "time",
    texts: ["22 s", "1 h 35 min", "+1 h 35 min"],
  });
  expect(texts("best epoch", 3, 8)).toEqual(["3", "8", "5 later"]);
  expect(texts("best epoch", 8, 3)[2]).toBe("5 earlier");
  expect(texts("loss at the end", 7.123456, 6)).toEqual(["7.123", "6", "−1.123"]);
  expect(texts("steps", null, 6)).toEqual(["–", "6", "–"]);
});

test("two runs are compared at their best evaluations, classes by the size of the change", async () => {
  const [one, two] = [join(dir, "one"), join(dir, "two")];
  await writeLongRun(one, { epochs: 20, classes: ["heron", "stork"], images: 2 });
  await writeLongRun(two, { epochs: 9, classes: ["stork", "owl"], images: 2, seed: 8, recipe: { name: "two" } });
  const [a, b] = [await readRunFolder(one), await readRunFolder(two)];
  const { metrics, classes, training, recipe, environment, caveats } = compareRuns(a, b);
  expect(metrics[0]).toEqual({
    ...{ name: "AP50:95", a: a.best!["AP50:95"], b: b.best!["AP50:95"] },
    change: b.best!["AP50:95"]! - a.best!["AP50:95"]!,
  });
  expect(classes.map(({ name, change }) => [name, change === null])).toEqual([
    ["stork", false],
    ["heron", true],
    ["owl", true],
  ]);
  expect(training).toContainEqual({ name: "steps", a: 2400, b: 1080, change: -1320 });
  expect(recipe.map(({ key }) => key)).toEqual(["train.epochs", "train.stages"]);
  expect(environment).toEqual([]);
  expect(caveats).toEqual([]);
  const elsewhere = { ...b, best: null, environment: { ...b.environment!, dataset: { fingerprint: "0" } } };
  expect(compareRuns(a, elsewhere).caveats).toEqual([
    expect.stringContaining("different data"),
    `${two} has not been evaluated yet.`,
  ]);
  const withContent = (run: typeof a, content: string) => {
    const { fingerprint } = run.environment!.dataset;
    return { ...run, environment: { ...run.environment!, dataset: { fingerprint, content } } };
  };
  expect(compareRuns(a, withContent(b, "1")).caveats).toEqual([]);
  expect(compareRuns(withContent(a, "0"), withContent(b, "1")).caveats).toEqual([
    expect.stringContaining("different data"),
  ]);
});

test("numbers, times and words are written as people read them", () => {
  expect([0.4, 59.6, 61, 3661, 200_000].map(duration)).toEqual(["0 s", "60 s", "1 min", "1 h 1 min", "2 d 7 h"]);
  expect([0.0001, -0.0001, 0.0156, -0.5].map(change)).toEqual(["0.000", "0.000", "+0.016", "−0.500"]);
  expect(moment("2026-03-04T05:06:07.000Z")).toBe("2026-03-04 05:06 UTC");
  expect(moment("<b>")).toBe("<b>");
  expect(shellWord("checkpoints/trees")).toBe("checkpoints/trees");
  expect(shellWord("it's $(x)")).toBe("'it'\\''s $(x)'");
});
