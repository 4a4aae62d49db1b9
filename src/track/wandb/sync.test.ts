import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import {
  evaluation,
  expectWhole,
  FAST,
  rowsAt,
  rowsOf,
  type Scene,
  scene,
  sentRows,
  train,
  useServer,
} from "../../../tests/support/wandbRun.ts";
import type { MetricsRow } from "../../run/events.ts";
import { openMetricsFile } from "../../run/records/metricsFile.ts";
import type { WandbTiming } from "./client/timing.ts";
import { takeLock } from "./folder/lock.ts";
import { type SyncOptions, syncRun } from "./sync.ts";

/** A run as training leaves it without W&B. */
async function record({ dir }: Scene, rows: Iterable<MetricsRow>, ended: string | undefined) {
  const metrics = await openMetricsFile(join(dir, "metrics.jsonl"));
  for (const row of rows) await metrics.append(row);
  await metrics.close();
  const messages = ["started", "evaluated", ...(ended ? [ended] : [])];
  const lines = messages.map((msg, i) => JSON.stringify({ time: `2026-01-02T03:0${4 + i}:05.000Z`, msg }));
  await writeFile(join(dir, "log.jsonl"), `${lines.join("\n")}\n`);
}

function sync({ server, dir }: Scene, options: SyncOptions = {}, timing: Partial<WandbTiming> = {}) {
  useServer(server);
  return syncRun(dir, options, { ...FAST, ...timing });
}

it("a run that was recorded offline arrives whole, with its end; another sync sends nothing", async () => {
  const one = await scene();
  await record(one, rowsOf(1, 700), "done");
  const seen: number[] = [];
  const result = await sync(one, { onProgress: (rows) => seen.push(rows) });
  const page = `${one.server.url}/test-entity/forest/runs/${one.id}`;
  expect(result).toEqual({ page, id: one.id, rows: 700, sent: 700, ended: true });
  await expectWhole(one);
  expect(one.server.state.runs[one.id]).toMatchObject({
    complete: true,
    exitCode: 0,
    displayName: `trees (${basename(one.dir)})`,
  });
  expect(JSON.parse(one.server.state.runs[one.id]!.config!)).toMatchObject({ seed: { value: 7 } });
  // The rows' times are not known, the run's are: from the first to the last line of its log.
  expect(one.server.history(one.id)[0]).not.toHaveProperty("_timestamp");
  const summary = JSON.parse(one.server.state.runs[one.id]!.files["wandb-summary.json"]![0]!);
  expect(summary).toMatchObject({ _runtime: 120, _timestamp: Date.UTC(2026, 0, 2, 3, 6, 5) / 1000, "best/step": 700 });
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(700);
  expect(Math.max(...one.server.requests.map(({ lines }) => lines))).toBeLessThanOrEqual(100);
  expect(await sync(one)).toMatchObject({ rows: 700, sent: 0 });
  await expectWhole(one);
});

it("rows that say when they were written are there with that time", async () => {
  const one = await scene();
  const began = Date.UTC(2026, 0, 2, 3, 4, 5); // the first line of the log
  const timed = [...rowsOf(1, 12)].map((row) => ({ ...row, time: new Date(began + 2500 * row.step).toISOString() }));
  await record(one, timed, "done");
  await sync(one);
  const times = one.server.history(one.id).map(({ _step, _timestamp, _runtime }) => [_step, _timestamp, _runtime]);
  expect(times).toEqual(Array.from({ length: 12 }, (_, i) => [i + 1, began / 1000 + 2.5 * (i + 1), 2.5 * (i + 1)]));
  const summary = JSON.parse(one.server.state.runs[one.id]!.files["wandb-summary.json"]![0]!);
  expect(summary).toMatchObject({ _timestamp: began / 1000 + 30, _runtime: 30 });
});

it("only what is missing is sent, also where the run has grown since", async () => {
  const one = await scene();
  await record(one, [...rowsOf(1, 4), train(5)], undefined);
  expect(await sync(one)).toMatchObject({ rows: 5, sent: 5, ended: false });
  expect(one.server.state.runs[one.id]).toMatchObject({ complete: false }); // it was killed, and may go on
  await record(one, [evaluation(5), ...rowsOf(6, 9)], "failed");
  expect(await sync(one)).toMatchObject({ rows: 9, sent: 5, ended: true });
  expect(sentRows(one).map(({ _step }) => _step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(sentRows(one)[4]).toMatchObject({ "train/loss": 2, "val/AP50:95": 0.05 });
  expect(one.server.state.runs[one.id]).toMatchObject({ complete: true, exitCode: 1 });
});

it("a sync that breaks off goes on the next time", async () => {
  const one = await scene();
  await record(one, rowsOf(1, 450), "done");
  const stop = new AbortController();
  const first = sync(one, {
    signal: stop.signal,
    onProgress: (rows) => {
      if (rows >= 100) stop.abort(new Error("enough"));
    },
  });
  await expect(first).rejects.toThrow("enough");
  expect(rowsAt(one)).toBeGreaterThanOrEqual(100);
  expect(rowsAt(one)).toBeLessThan(450);
  await sync(one);
  await expectWhole(one);
});

it("faults on the way are waited for", async () => {
  const one = await scene();
  await record(one, rowsOf(1, 250), "done");
  one.server.fail({ kind: "drop", acted: true }, { target: "rows", times: 3 });
  await sync(one);
  await expectWhole(one);
  expect(one.server.requests.filter(({ target }) => target === "rows").length).toBeGreaterThanOrEqual(6);
});

it("what the recipe does not say can be said", async () => {
  const one = await scene();
  await writeFile(join(one.dir, "recipe.yaml"), "name: trees\ntrack: { wandb: none }\n");
  await record(one, rowsOf(1, 3), "done");
  await expect(sync(one)).rejects.toMatchObject({ name: "UserError", hint: expect.stringContaining("--project") });
  await sync(one, { project: "wood", entity: "team" });
  expect(one.server.state.runs[one.id]).toMatchObject({ project: "wood", entity: "team" });
});

it("pictures that were kept while the run was offline arrive", async () => {
  const one = await scene();
  const run = await one.open({ wandb: { mode: "offline" } });
  await run.add([train(1), evaluation(1)]);
  const data = Buffer.from("x");
  run.tracker.pictures({ step: 1, epoch: 0 }, [{ name: "a", caption: "", format: "png", data, width: 1, height: 1 }]);
  await run.close();
  await sync(one);
  expect(Object.values(one.server.state.uploads)).toEqual([data]);
  expect(sentRows(one)).toMatchObject([{ _step: 1, "val/a": { _type: "image-file" } }]);
  await sync(one);
  expect(one.server.requests.filter(({ target }) => target === "put")).toHaveLength(1);
});

it("what stands in the way is said, with what to do", async () => {
  const one = await scene();
  await expect(sync(one)).rejects.toThrow("metrics.jsonl");
  await record(one, [], "done");
  await expect(sync(one)).rejects.toThrow("has no rows yet");
  await record(one, rowsOf(1, 3), "done");
  one.server.fail({ kind: "status", status: 401 });
  await expect(sync(one)).rejects.toMatchObject({
    message: "W&B does not let this program in: the API key is not valid.",
    hint: expect.stringContaining("WANDB_API_KEY"),
  });
  one.server.fail({ kind: "status", status: 403 });
  await expect(sync(one)).rejects.toThrow("W&B does not give access to the project forest (HTTP 403: injected).");
  one.server.fail({ kind: "status", status: 409 });
  await expect(sync(one)).rejects.toMatchObject({ hint: expect.stringContaining("wandb.json") });
  one.server.fail({ kind: "status", status: 500 });
  await expect(sync(one, {}, { giveUpAfter: 400 })).rejects.toThrow(/^Nothing can be sent to W&B: it has not answered/);
  one.server.fail(undefined);
  await takeLock(one.dir);
  await expect(sync(one)).rejects.toThrow(`Process ${process.pid} is sending the run`);
});
