import { cp, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, expectSameRun, rowsOf, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { listCheckpoints, verifyCheckpoint } from "../../checkpoint/store/store.ts";
import { loadBackend } from "../../engine/backend.ts";
import { resume, train } from "../run.ts";
import { rollback } from "./rollback.ts";

let dir: string;
let whole: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "rollback-"));
  whole = join(dir, "whole");
  await tinyDataset(join(dir, "data"));
  const recipe = tinyRecipe(join(dir, "data"), { checkpoint: { every_steps: 3, keep_last: 9 } });
  await collect((options) => train(recipe, { run: whole, ...options }));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function copied(name: string): Promise<string> {
  await cp(whole, join(dir, name), { recursive: true, verbatimSymlinks: true });
  return join(dir, name);
}

test.each([3, 5])("a run that went back to step %i and on again ends as it did; nothing is lost", async (step) => {
  const run = await copied(`back-${step}`);
  const checkpoints = join(run, "checkpoints");
  const all = await listCheckpoints(checkpoints);
  const { name } = all.find((one) => one.step === step)!;
  const result = await rollback(run, name);
  const newer = all.filter((one) => one.step > step).map((one) => one.name);
  expect(result).toMatchObject({ name, step, movedAside: newer, metric: "AP50:95" });
  expect(await readlink(join(checkpoints, "last"))).toBe(name);
  expect((await listCheckpoints(checkpoints)).map((one) => one.step).at(-1)).toBe(step);
  for (const one of newer) await verifyCheckpoint(join(result.folder!, one));
  const rows = await rowsOf(run);
  const cut = (await readFile(result.rowsFile!, "utf8")).trimEnd().split("\n");
  expect([...rows, ...cut.map(() => 0)]).toHaveLength((await rowsOf(whole)).length);
  expect(cut).toHaveLength(result.rowsCut);

  const { end } = await collect((options) => resume(run, options));
  expect(end).toMatchObject({ status: "done", step: 10 });
  await expectSameRun(whole, run);
});

test("what is of later weights and evaluations goes aside, too, and the report is of what is left", async () => {
  const run = await copied("files");
  const all = await listCheckpoints(join(run, "checkpoints"));
  const last = JSON.parse(await readFile(join(run, "evaluation.json"), "utf8")) as { step: number };
  expect(last.step).toBe(10);
  const weights = { source: "run", sha256: "of weights that are no longer the best" };
  const record = { file: "model.onnx", bytes: 4, kind: "plain", verified: null, weights };
  await writeFile(join(run, "export.json"), JSON.stringify({ files: [record] }));
  await writeFile(join(run, "model.onnx"), "onnx");
  await writeFile(join(run, "report.html"), "of the whole run");
  const { folder, filesAside } = await rollback(run, all.find(({ step }) => step === 5)!.name);
  expect(filesAside).toEqual(expect.arrayContaining(["evaluation.json", "model.onnx", "export.json"]));
  for (const name of filesAside) expect(await readdir(folder!)).toContain(name);
  expect((await readdir(run)).filter((name) => filesAside.includes(name))).toEqual([]);
  expect(await readFile(join(run, "report.html"), "utf8")).toContain("<!doctype html>");
});

test("where no scored checkpoint is left there is no best one", async () => {
  const run = await copied("unscored");
  const first = (await listCheckpoints(join(run, "checkpoints")))[0]!;
  expect(first.step).toBeLessThan(5);
  expect((await rollback(run, first.name)).best).toBe(null);
  expect(await readdir(join(run, "checkpoints"))).not.toContain("best");
});

test("a second time back uses names of its own, and going back to the last one moves nothing", async () => {
  const run = await copied("twice");
  const names = (await listCheckpoints(join(run, "checkpoints"))).map(({ name }) => name);
  expect(await rollback(run, names.at(-1)!)).toMatchObject({ folder: null, rowsFile: null, movedAside: [] });
  await rollback(run, names.at(-2)!);
  expect((await rollback(run, names.at(-3)!)).folder).toBe(join(run, "checkpoints", "rolled-back-2"));
});

test("a wrong name lists what is kept, and a damaged checkpoint is not gone back to", async () => {
  const run = await copied("wrong");
  const names = (await listCheckpoints(join(run, "checkpoints"))).map(({ name }) => name);
  const last = await readlink(join(run, "checkpoints", "last"));
  await expect(rollback(run, "0009-00000001")).rejects.toThrow(
    new RegExp(`has no checkpoint 0009-00000001. Kept are:\n(.*\n)*.*${names[2]}  epoch 1, step 5, AP50:95 `),
  );
  const file = join(run, "checkpoints", names[1]!, "model.safetensors");
  const bytes = await readFile(file);
  bytes[bytes.length - 3]! ^= 1;
  await writeFile(file, bytes);
  await expect(rollback(run, names[1]!)).rejects.toThrow(`${file} is damaged`);
  expect(await readlink(join(run, "checkpoints", "last"))).toBe(last);
  await expect(rollback(join(dir, "nowhere"), "0000-00000001")).rejects.toThrow("nowhere");
});

test.each(["deleted", "shortened"])(
  "rows that were %s are noticed by rollback and resume, and the rest is right",
  async (how) => {
    const run = await copied(`rows-${how}`);
    const path = join(run, "metrics.jsonl");
    const { name } = (await listCheckpoints(join(run, "checkpoints"))).find((one) => one.step === 5)!;
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    // the first rows lost: counted from the top, rows of later steps would seem to be those of the checkpoint
    const left = how === "deleted" ? [] : lines.slice(3);
    if (how === "deleted") await rm(path);
    else await writeFile(path, `${left.join("\n")}\n`);
    const steps = left.map((line) => (JSON.parse(line) as { step: number }).step);
    const before = steps.filter((step) => step <= 5);

    const done = await rollback(run, name);
    expect(done.warning).toContain(`metrics.jsonl has ${before.length} of the 6 rows`);
    expect(done.rowsCut).toBe(steps.length - before.length);
    const { events, end } = await collect((options) => resume(run, options));
    expect(end).toMatchObject({ status: "done", step: 10 });
    expect(events).toContainEqual({ type: "warning", message: expect.stringContaining("put it back") });
    const all = (await rowsOf(run)) as { step: number }[];
    expect(all.map(({ step }) => step)).toEqual([...before, 6, 7, 8, 9, 10, 10]);
    expect((await rollback(run, (await listCheckpoints(join(run, "checkpoints"))).at(-1)!.name)).warning).toBe(null);
  },
);
