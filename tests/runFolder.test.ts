// Run folders that an earlier version wrote go on, go back, and can be measured, exported, shown and sent.

import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadBackend } from "../src/engine/backend.ts";
import { evaluate } from "../src/eval/measure.ts";
import { exportOnnx } from "../src/export/exportOnnx.ts";
import { compareRuns } from "../src/report/comparison.ts";
import type { TrainEvent } from "../src/run/events.ts";
import { readMetrics } from "../src/run/records/metricsFile.ts";
import { readRunFolder } from "../src/run/runFolder.ts";
import { readLog } from "../src/run/runLog.ts";
import { runIdentity } from "../src/track/wandb/folder/identity.ts";
import { historyRows } from "../src/track/wandb/folder/rows.ts";
import { syncRun } from "../src/track/wandb/sync.ts";
import { reportRun } from "../src/train/record/report.ts";
import { resume } from "../src/train/run.ts";
import { extend } from "../src/train/verbs/extend.ts";
import { rollback } from "../src/train/verbs/rollback.ts";
import { collect, rowsOf } from "./support/tinyRun.ts";
import { FAST, KEY } from "./support/wandbRun.ts";
import { startWandbServer } from "./support/wandbServer.ts";

const FIXTURES = join(import.meta.dirname, "fixtures", "run-folder");
const BOTH = ["interrupted", "finished"];

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "run-folder-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A copy of a run folder that can be changed. The data path in its recipe is relative to where the tests run. */
async function copied(name: string, as: string): Promise<string> {
  const run = join(dir, as);
  await cp(join(FIXTURES, name), run, { recursive: true, verbatimSymlinks: true });
  return run;
}

test("the facts of their logs, which were sentences, have names and values", async () => {
  const { facts } = await readLog(join(FIXTURES, "interrupted", "log.jsonl"));
  expect(facts[0]!.name).toBe("Data");
  expect(facts.slice(1, 5)).toEqual([
    { name: "train", value: "7 images (0 without boxes, 10 boxes)", under: "Data" },
    { name: "val", value: "3 images (0 without boxes, 4 boxes)", under: "Data" },
    { name: "2 classes", value: "0 red (id 1), 1 blue (id 2)", under: "Data" },
    { name: "Weights", value: "from scratch" },
  ]);
});

/** How a run ended; W&B may have something to say after that. */
const endOf = (events: TrainEvent[]) => events.findLast(({ type }) => type === "end");

/** The same rows, numbers within 1e-5 of each other, relatively; what later versions have added to a row is left out. */
function expectSameRows(all: object[], expected: object[]) {
  const known = (row: object, i: number) => Object.entries(row).filter(([key]) => key in (expected[i] ?? {}));
  const rows = all.map((row, i) => Object.fromEntries(known(row, i)));
  expect(rows.map(shape)).toEqual(expected.map(shape));
  for (const [i, row] of rows.entries()) {
    const [found, wanted] = [numbers(row), numbers(expected[i]!)];
    for (const [j, { path, value }] of found.entries()) {
      const other = wanted[j]!.value;
      expect(Math.abs(value - other), `row ${i + 1}, ${path}`).toBeLessThanOrEqual(1e-5 * Math.abs(other) + 1e-12);
    }
  }
}

/** A row with every number replaced by 0. */
function shape(value: unknown): unknown {
  if (typeof value === "number") return 0;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, shape(child)]));
}

function numbers(value: unknown, path = ""): { path: string; value: number }[] {
  if (typeof value === "number") return [{ path, value }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => numbers(child, `${path}/${key}`));
}

test("an interrupted run goes on to the rows that the earlier version went on to", async () => {
  const run = await copied("interrupted", "resumed");
  const { events, rows } = await collect((options) => resume(run, options));
  expect(endOf(events)).toMatchObject({ status: "done", step: 15, metric: "AP50:95" });
  expect(rows[0]).toMatchObject({ step: 7, split: "train" });
  expectSameRows(await rowsOf(run), await rowsOf(join(FIXTURES, "finished")));
});

test("a finished run is found finished, and trains longer", async () => {
  const run = await copied("finished", "extended");
  const before = await rowsOf(run);
  const again = await collect((options) => resume(run, options));
  expect(again).toMatchObject({ rows: [], end: { status: "done", step: 15 } });
  expect(again.events.find(({ type }) => type === "notice")).toMatchObject({ message: /all 3 epochs are done/ });
  const { events, rows } = await collect((options) => extend(run, { epochs: 4, ...options }));
  expect(endOf(events)).toMatchObject({ status: "done", step: 20 });
  expect(rows.map(({ step }) => step)).toEqual([16, 17, 18, 19, 20, 20]);
  expect((await rowsOf(run)).slice(0, before.length)).toEqual(before);
  expect(await readFile(join(run, "recipe.before-extend-1.yaml"), "utf8")).toBe(
    await readFile(join(FIXTURES, "finished", "recipe.yaml"), "utf8"),
  );
});

test("a finished run goes back to its first epoch, and on again to the same rows", async () => {
  const run = await copied("finished", "rolled-back");
  const result = await rollback(run, "0000-00000005");
  expect(result).toMatchObject({ step: 5, metric: "AP50:95", best: "0000-00000005", movedAside: ["0002-00000015"] });
  const { events } = await collect((options) => resume(run, options));
  expect(endOf(events)).toMatchObject({ status: "done", step: 15 });
  expectSameRows(await rowsOf(run), await rowsOf(join(FIXTURES, "finished")));
});

test.each(["deleted", "shortened"])("rows that were %s are missed by report, compare and resume", async (how) => {
  const run = await copied("finished", `rows-${how}`);
  const metrics = join(run, "metrics.jsonl");
  const lines = (await readFile(metrics, "utf8")).split("\n");
  const results = await readFile(join(run, "results.csv"), "utf8");
  if (how === "deleted") await rm(metrics);
  else await writeFile(metrics, lines.slice(3).join("\n"));
  const said = expect.stringContaining(
    `has ${how === "deleted" ? 0 : lines.length - 4} of the ${lines.length - 1} rows`,
  );

  const [short, whole] = [await readRunFolder(run), await readRunFolder(join(FIXTURES, "finished"))];
  expect([short.missing, whole.missing]).toEqual([said, null]);
  expect(compareRuns(short, whole).caveats).toContainEqual(said);
  expect(await readFile(await reportRun(run), "utf8")).toEqual(said);
  const { events, end } = await collect((options) => resume(run, options));
  expect(events).toContainEqual({ type: "warning", message: said });
  expect(end).toMatchObject({ status: "done", step: 15 });
  expect(await readFile(join(run, "results.csv"), "utf8")).toBe(results); // what is left of the history
});

test.each(BOTH)("%s: its weights are measured and exported, and its report is written", async (name) => {
  const run = await copied(name, `shown-${name}`);
  const { metrics, about } = await evaluate({ weights: run, data: join(FIXTURES, "data"), device: "cpu" });
  expect(about).toMatchObject({ images: 3 });
  const record = JSON.parse(await readFile(join(run, "evaluation-best.json"), "utf8"));
  expect(metrics["AP50:95"]).toBeCloseTo(record.metrics["AP50:95"], 5);

  const { files } = await exportOnnx({ weights: run, out: join(run, "model.onnx") });
  expect(files).toMatchObject([{ file: "model.onnx", verified: { images: 3, on: expect.stringContaining("val") } }]);
  expect(JSON.parse(await readFile(join(run, "export.json"), "utf8")).files).toHaveLength(1);

  expect(await reportRun(run)).toBe(join(run, "report.html"));
  const page = await readFile(join(run, "report.html"), "utf8");
  for (const shown of ["written-by-0.1.0", "model.onnx", "data:image/jpeg;base64,"]) expect(page).toContain(shown);
});

test.each(BOTH)("%s: all its rows and pictures go to W&B", async (name) => {
  const run = await copied(name, `sent-${name}`);
  const server = await startWandbServer({ key: KEY });
  Object.assign(process.env, { WANDB_BASE_URL: server.url, WANDB_API_KEY: KEY });
  try {
    const rows = historyRows(await readMetrics(join(run, "metrics.jsonl")));
    const { id } = await runIdentity(run);
    expect(await syncRun(run, {}, FAST)).toMatchObject({ id, rows: rows.length, sent: rows.length, ended: true });
    expect(server.history(id).map(({ _step }) => _step)).toEqual(rows.map(({ _step }) => _step));
    expect(server.state.runs[id]).toMatchObject({ complete: true, exitCode: name === "finished" ? 0 : 3 });
    const pictures = server.history(id).flatMap((row) => Object.keys(row).filter((key) => key.startsWith("val/worst")));
    expect(pictures).toHaveLength(name === "finished" ? 6 : 2);
  } finally {
    await server.stop();
  }
});
