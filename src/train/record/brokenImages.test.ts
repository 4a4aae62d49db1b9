import { copyFile, mkdtemp, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { collect, expectSameRun, rowsOf, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { listCheckpoints } from "../../checkpoint/store/store.ts";
import { loadDataset } from "../../data/dataset/dataset.ts";
import { loadBackend } from "../../engine/backend.ts";
import type { TrainEvent, ValRow } from "../../run/events.ts";
import { UserError } from "../../util/errors.ts";
import { resume, train } from "../run.ts";

let dir: string;
beforeAll(() => {
  loadBackend();
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "broken-"));
  await tinyDataset(join(dir, "data"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const recipe = (data: object = {}) => {
  const tiny = tinyRecipe(join(dir, "data"));
  return { ...tiny, data: { ...tiny.data, ...data } };
};

/** Cut an image of a split off, as a copy that ended early; returns what puts it back. */
async function damage(split: "train" | "val", at = 0): Promise<() => Promise<void>> {
  const { splits } = await loadDataset({ dir: join(dir, "data") });
  const { path } = splits[split]!.samples[at]!;
  await copyFile(path, join(dir, "whole"));
  await truncate(path, 60);
  return () => copyFile(join(dir, "whole"), path);
}

const warnings = (events: TrainEvent[]) => events.flatMap((event) => (event.type === "warning" ? [event.message] : []));

test("a damaged validation image is left out, and the metrics say of how many images they are", async () => {
  await damage("val");
  const run = join(dir, "run");
  const { events, end } = await collect((options) => train(recipe(), { run, ...options }));
  expect(end.status).toBe("done");
  const rows = ((await rowsOf(run)) as Partial<ValRow>[]).filter(({ split }) => split === "val");
  expect(rows.map(({ unread }) => unread)).toEqual(rows.map(() => 1));
  expect(warnings(events)).toContainEqual(
    expect.stringMatching(/^This evaluation is of \d+ of \d+ images\. .* is truncated or damaged/),
  );
});

test("a damaged training image is replaced: the same bytes whatever the threads, and after a stop", async () => {
  await damage("train", 1);
  const [whole, threads, stopped] = ["whole-run", "threads", "stopped"].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  const { events } = await collect((options) => train(recipe({ workers: 0 }), { run: whole, ...options }));
  const said = warnings(events).filter((message) => message.endsWith("Another image takes its place."));
  expect(said).toHaveLength(1);
  await collect((options) => train(recipe({ workers: 2 }), { run: threads, ...options }));
  expect(await rowsOf(threads)).toEqual(await rowsOf(whole));
  await collect((options) => train(recipe({ workers: 0 }), { run: stopped, ...options }), 3);
  await collect((options) => resume(stopped, options));
  await expectSameRun(whole, stopped);
});

test("too many damaged images end a run, and what was trained until then is saved and goes on", async () => {
  const repair = await damage("val");
  const run = join(dir, "run");
  const given = recipe({ max_broken: 0 });
  const failed = await collect((options) => train(given, { run, ...options })).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(UserError);
  expect((failed as UserError).hint).toContain(`rfdetr-train resume ${run}`);
  const { step, epochEnd } = (await listCheckpoints(join(run, "checkpoints"))).at(-1)!;
  expect({ step, epochEnd }).toEqual({ step: 5, epochEnd: false });
  expect(await readFile(join(run, "log.jsonl"), "utf8")).toContain('"msg":"failed"');
  await repair();
  await collect((options) => resume(run, options));
  const straight = join(dir, "straight");
  await collect((options) => train(given, { run: straight, ...options }));
  await expectSameRun(straight, run);
});
