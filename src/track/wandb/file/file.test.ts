import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pythonJson, requirePython } from "../../../../tests/support/python.ts";
import { RECORDED_ROWS, recordedRun } from "../../../../tests/support/recordedRun.ts";
import { readWandbValues } from "../../../../tests/support/wandbFile.ts";
import { startWandbServer } from "../../../../tests/support/wandbServer.ts";
import type { MetricsRow } from "../../../run/events.ts";
import type { TrackedPicture } from "../../tracker.ts";
import { noteDelivered } from "../folder/delivered.ts";
import { runIdentity } from "../folder/identity.ts";
import { keepPictures } from "../folder/pictures.ts";
import { historyRows, summaryOf } from "../folder/rows.ts";
import * as runFolder from "../folder/runFolder.ts";
import { writeWandbFile } from "./file.ts";

let dir: string;
beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), "wandb-file-")), "trees");
  await recordedRun(dir);
});
afterEach(() => rm(join(dir, ".."), { recursive: true }));

const picture = (name: string, caption: string): TrackedPicture => ({
  ...{ name, caption, format: "jpeg", data: Buffer.from(`picture ${caption}`), width: 40, height: 30 },
});
const append = (row: object) => appendFile(join(dir, "metrics.jsonl"), `${JSON.stringify(row)}\n`);
const values = async (file: string) => readWandbValues(await readFile(file));
const history = async (file: string) =>
  (await values(file)).filter(([kind]) => kind === "history").map(([, row]) => row);
const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

test("the file has the run's rows one a step, its summary with the best evaluation, and an end", async () => {
  const written = await writeWandbFile({ dir });
  const { id } = await runIdentity(dir);
  expect(written).toMatchObject({
    id,
    steps: 6,
    pictures: 0,
    checkpoint: "0000-00000030",
    changed: true,
    goesOn: false,
  });
  expect(written.folder).toBe(join(dir, "wandb", `offline-run-20260304_050607-${id}`));
  expect(written.file).toBe(join(written.folder, `run-${id}.wandb`));
  const records = await values(written.file);
  expect(records.map(([kind]) => kind)).toEqual([
    ...["header", "run", ...Array.from({ length: 6 }, () => "history"), "summary", "artifact", "exit"],
  ]);
  expect(await history(written.file)).toEqual(historyRows(RECORDED_ROWS));
  expect(records.find(([kind]) => kind === "summary")![1]).toEqual(summaryOf(RECORDED_ROWS));
  expect(await readdir(join(dir, "wandb"))).toEqual([basename(written.folder)]);
});

test("of a step that was done twice the last row is in the file, and a torn last line is not", async () => {
  const again = { step: 60, epoch: 1, split: "train", loss: 9 };
  await append(again);
  await appendFile(join(dir, "metrics.jsonl"), '{"step":70,"epoch":2,"spl');
  const rows = await history((await writeWandbFile({ dir })).file);
  expect(rows.map(({ _step }) => _step)).toEqual([10, 20, 30, 40, 50, 60]);
  expect(rows.at(-1)).toMatchObject({ "train/loss": 9, "val/AP50:95": 0.25 });
  expect(rows.at(-1)).not.toHaveProperty("train/lr");
});

test("a row that says when it was written has that time in the file", async () => {
  await append({ step: 70, epoch: 2, split: "train", time: "2026-03-04T05:08:07.750Z", loss: 0.5 });
  const { file } = await writeWandbFile({ dir });
  const times = { _timestamp: Date.UTC(2026, 2, 4, 5, 8, 7, 750) / 1000, _runtime: 120.5 };
  expect((await history(file)).at(-1)).toMatchObject(times);
});

test("writing again changes nothing; new rows replace the folder whole", async () => {
  const first = await writeWandbFile({ dir });
  await writeFile(`${first.file}.syncstate`, "{}");
  expect(await writeWandbFile({ dir })).toEqual({ ...first, changed: false });
  expect(await exists(`${first.file}.syncstate`)).toBe(true);
  await append({ step: 70, epoch: 2, split: "train", loss: 0.5 });
  await rm(join(dir, "log.jsonl")); // its first line gave the folder's name
  expect(await writeWandbFile({ dir })).toEqual({ ...first, steps: 7, changed: true });
  expect(await readdir(first.folder)).toEqual(["checkpoint", "covered.json", "files", basename(first.file)]);
  expect(await readdir(join(dir, "wandb"))).toEqual([basename(first.folder)]);
});

test("what was sent stays as it is, and only later rows and pictures are written beside it", async () => {
  await keepPictures(dir, { step: 60 }, [picture("worst-1", "a")]);
  const first = await writeWandbFile({ dir });
  await writeFile(`${first.file}.synced`, "");
  const nothing = { steps: 0, pictures: 0, checkpoint: undefined, goesOn: true, changed: false };
  expect(await writeWandbFile({ dir })).toEqual({ ...first, ...nothing });
  await append({ step: 70, epoch: 2, split: "train", loss: 0.5 });
  await append({ step: 80, epoch: 2, split: "train", loss: 0.25 });
  await keepPictures(dir, { step: 80 }, [picture("worst-1", "b")]);
  const second = await writeWandbFile({ dir });
  expect(second).toMatchObject({ steps: 2, pictures: 1, goesOn: true, changed: true });
  expect(await readdir(join(dir, "wandb"))).toContain(basename(second.folder));
  expect(basename(second.folder) > basename(first.folder)).toBe(true);
  expect(await exists(first.file)).toBe(true);
  expect((await history(second.file)).map(({ _step }) => _step)).toEqual([70, 80]);
  const [, summary] = (await values(second.file)).find(([kind]) => kind === "summary")!;
  expect(summary).toMatchObject({ "best/AP50:95": 0.5, "train/loss": 0.25, "val/worst-1": { caption: "b" } });
  await append({ step: 90, epoch: 2, split: "train", loss: 0.125 });
  expect(await writeWandbFile({ dir })).toEqual({ ...second, steps: 3 });
});

test("of a run that was sent while it was trained only the rest is written, with the checkpoint", async () => {
  await noteDelivered(dir, { step: 40, open: true });
  await expect(writeWandbFile({ dir })).rejects.toThrow(/has rows of the run .* it is not known how many/);
  await noteDelivered(dir, { step: 40, open: false });
  const rest = await writeWandbFile({ dir });
  expect(rest).toMatchObject({ steps: 2, checkpoint: "0000-00000030", changed: true });
  await noteDelivered(dir, { step: 60, open: false });
  expect(await writeWandbFile({ dir })).toEqual({ ...rest, steps: 0 });
  expect((await values(rest.file)).map(([kind]) => kind)).toEqual(["header", "run", "summary", "artifact", "exit"]);
  await expect(writeWandbFile({ dir, checkpoint: null })).rejects.toThrow(/W&B has all rows/);
});

test("a run that was killed ends with exit code 1, one that was stopped with the program's own", async () => {
  const log = (msg: string) =>
    appendFile(join(dir, "log.jsonl"), `{"time":"2026-03-04T06:00:00.000Z","msg":"${msg}"}\n`);
  const exitCode = async () => {
    const { exitCode, ended } = await runFolder.recordedRun(dir, { after: 0, through: 60 });
    expect(new Date(ended).toISOString()).toBe("2026-03-04T06:00:00.000Z");
    return exitCode;
  };
  await log("resumed");
  expect(await exitCode()).toBe(1);
  await log("interrupted");
  expect(await exitCode()).toBe(3);
});

test("pictures lie beside the file under the names that rows have; those of steps that will be done again do not", async () => {
  await keepPictures(dir, { step: 30 }, [picture("worst-1", "a"), picture("best-1", "b")]);
  await keepPictures(dir, { step: 60 }, [picture("worst-1", "c")]);
  await keepPictures(dir, { step: 90 }, [picture("worst-1", "d")]);
  const { folder, file, pictures } = await writeWandbFile({ dir });
  expect(pictures).toBe(3);
  const rows = await history(file);
  expect(rows[2]).toMatchObject({ "val/worst-1": { caption: "a", width: 40 }, "val/best-1": { caption: "b" } });
  expect(rows[5]).toMatchObject({ "val/worst-1": { _type: "image-file", caption: "c", format: "jpeg" } });
  const { path, sha256 } = rows[5]!["val/worst-1"] as { path: string; sha256: string };
  expect(await readFile(join(folder, "files", path), "utf8")).toBe("picture c");
  expect(createHash("sha256").update("picture c").digest("hex")).toBe(sha256);
  expect(await readdir(join(folder, "files", "media", "images"))).toHaveLength(3);
  const summary = (await values(file)).find(([kind]) => kind === "summary")![1];
  expect(summary).toMatchObject({ "val/worst-1": { caption: "c" }, "val/best-1": { caption: "b" } });
});

test("a run that W&B was off in has the pictures of its last and best evaluation", async () => {
  for (const [name, step] of [
    ["evaluation-best.json", 30],
    ["evaluation.json", 60],
  ] as const) {
    const file = `evaluation/${step}/worst-1.jpg`;
    await mkdir(join(dir, "evaluation", String(step)), { recursive: true });
    await writeFile(join(dir, file), `picture of ${step}`);
    const pictures = [{ file, image: `${step}.jpg`, width: 40, height: 30 }];
    const lost = { ...pictures[0], file: "evaluation/lost.jpg" };
    await writeFile(join(dir, name), JSON.stringify({ step, pictures: [...pictures, lost] }));
  }
  const { file, pictures } = await writeWandbFile({ dir });
  expect(pictures).toBe(2);
  const rows = await history(file);
  expect(rows[2]).toMatchObject({ "val/worst-1": { caption: "30.jpg", size: 13 } });
  expect(rows[5]).toMatchObject({ "val/worst-1": { caption: "60.jpg", width: 40, height: 30 } });
});

test("the best checkpoint lies beside the file, even when the run has deleted its own", async () => {
  const { folder } = await writeWandbFile({ dir });
  await rm(join(dir, "checkpoints"), { recursive: true });
  const placed = join(folder, "checkpoint", "0000-00000030");
  expect(await readdir(placed)).toEqual(["ema.safetensors", "model.safetensors", "recipe.yaml"]);
  expect(await readFile(join(placed, "ema.safetensors"), "utf8")).toBe("ema 0000-00000030");
});

test("another checkpoint can be asked for, or none", async () => {
  const checkpoint = join(dir, "checkpoints", "0001-00000060");
  expect((await writeWandbFile({ dir, checkpoint })).checkpoint).toBe("0001-00000060");
  const without = await writeWandbFile({ dir, checkpoint: null });
  expect(without.checkpoint).toBeUndefined();
  expect(await readdir(without.folder)).not.toContain("checkpoint");
});

test("weights that are not as they were written, or larger than any, are not read to be sent", async () => {
  const checkpoint = join(dir, "checkpoints", "0001-00000060");
  const weights = join(checkpoint, "model.safetensors");
  await truncate(weights, 2 ** 36);
  await expect(writeWandbFile({ dir, checkpoint })).rejects.toThrow(/model\.safetensors is 68719476736 bytes long/);
  const files = { "model.safetensors": { sha256: "", bytes: 100 } };
  await writeFile(
    join(checkpoint, "manifest.json"),
    JSON.stringify({ format: 1, epoch: 1, step: 60, epochEnd: true, score: null, files }),
  );
  await expect(writeWandbFile({ dir, checkpoint })).rejects.toThrow(/is damaged: it has 68719476736 bytes/);
});

test("what is no run or no checkpoint is named, and nothing half is left", async () => {
  await expect(writeWandbFile({ dir, checkpoint: join(dir, "checkpoints") })).rejects.toThrow(
    /checkpoints is no checkpoint: it has no model\.safetensors/,
  );
  expect(await readdir(join(dir, "wandb"))).toEqual([]);
  await expect(writeWandbFile({ dir: join(dir, "nowhere") })).rejects.toThrow(/metrics\.jsonl: no such file/);
  await rm(join(dir, "recipe.yaml"));
  await expect(writeWandbFile({ dir })).rejects.toThrow(/recipe\.yaml: no such file/);
});

type Record_ = [number: number, kind: string, content: Record<string, never>];
const reader = join(import.meta.dirname, "../../../../tests/support/read_wandb.py");

test("the wandb package reads every record", async (context) => {
  const python = await requirePython(context, ["wandb"]);
  const long: MetricsRow[] = Array.from({ length: 400 }, (_, i) => {
    const terms = Object.fromEntries(Array.from({ length: 12 }, (_, term) => [`loss_${term}`, i / (term + 1)]));
    return { step: 61 + i, epoch: 2, split: "train", loss: i, ...terms } as unknown as MetricsRow;
  });
  for (const row of long) await append(row);
  await keepPictures(dir, { step: 60 }, [picture("worst-1", 'c "quoted" \u{1f333}')]);
  const { folder, file, id } = await writeWandbFile({ dir, entity: "team" });
  expect((await stat(file)).size).toBeGreaterThan(3 * 32_768);
  const records = await pythonJson<Record_[]>(python, reader, { args: [file] });
  const of = (kind: string) => records.filter((record) => record[1] === kind).map(([, , content]) => content);
  expect(records.map(([number]) => number)).toEqual(records.map((_, i) => i + 1));
  const expected = historyRows([...RECORDED_ROWS, ...long]);
  expect(of("history").map(({ item }) => item)).toEqual(
    expected.map((row) => (row._step === 60 ? { ...row, "val/worst-1": expect.anything() } : row)),
  );
  expect(of("history")[5]!.item).toMatchObject({ "val/worst-1": { caption: 'c "quoted" \u{1f333}' } });
  expect(of("summary")[0]!.update).toMatchObject({ "best/AP50:95": 0.5, "train/loss": 399, "best/step": 30 });
  expect(of("run")[0]).toMatchObject({ run_id: id, project: "forest", entity: "team", display_name: "trees" });
  expect(of("run")[0]).toMatchObject({ start_time: "2026-03-04T05:06:07.250Z", job_type: "train" });
  expect((of("run")[0]!.config as unknown as { update: object }).update).toMatchObject({
    ...{ seed: 7, train: { lr: 0.0001, stages: null }, environment: { cpu: { cores: 2 } } },
  });
  const [artifact] = of("artifact") as unknown as { manifest: { contents: object[] } }[];
  expect(artifact).toMatchObject({ name: `model-${id}`, aliases: ["latest", "best"], finalize: true });
  expect(artifact!.manifest.contents[0]).toMatchObject({
    path: "ema.safetensors",
    digest: createHash("md5").update("ema 0000-00000030").digest("base64"),
    local_path: join(folder, "checkpoint", "0000-00000030", "ema.safetensors"),
  });
  expect(of("exit")[0]).toMatchObject({ runtime: 30 });
});

test("wandb sync sends all of it to the end, and what comes later is appended once", async (context) => {
  const python = await requirePython(context, ["wandb"]);
  await keepPictures(dir, { step: 60 }, [picture("worst-1", "c")]);
  const { folder, file, id } = await writeWandbFile({ dir });
  const server = await startWandbServer();
  const home = join(dir, "..", "home");
  await mkdir(home);
  const env = {
    ...{ PATH: process.env.PATH, HOME: home, WANDB_BASE_URL: server.url, WANDB_API_KEY: "0".repeat(40) },
    ...{ WANDB_ERROR_REPORTING: "false", WANDB_DIR: home },
  };
  const sync = (folder: string) =>
    promisify(execFile)(python, ["-m", "wandb", "sync", folder], { env, cwd: home, timeout: 110_000 });
  try {
    await sync(folder);
    expect(await exists(`${file}.synced`)).toBe(true);
    const run = server.state.runs[id]!;
    expect(run).toMatchObject({ project: "forest", displayName: "trees", complete: true, exitCode: 0 });
    const rows = historyRows(RECORDED_ROWS);
    const sent = () =>
      server
        .history(id)
        .map((row) =>
          Object.fromEntries(Object.entries(row).filter(([key]) => key !== "_runtime" && key !== "_timestamp")),
        );
    const shown = rows.map((row) => (row._step === 60 ? { ...row, "val/worst-1": expect.anything() } : row));
    expect(sent()).toEqual(shown);
    expect(JSON.parse(run.config!)).toMatchObject({ seed: { value: 7 }, train: { value: { lr: 0.0001 } } });
    const uploads = Object.entries(server.state.uploads).map(([path, bytes]) => [basename(path), bytes.toString()]);
    const byName = Object.fromEntries(uploads) as Record<string, string>;
    const { path } = sent()[5]!["val/worst-1"] as { path: string };
    expect(byName).toMatchObject({
      "ema.safetensors": "ema 0000-00000030",
      "model.safetensors": "model 0000-00000030",
      [basename(path)]: "picture c",
    });
    expect(JSON.parse(byName["wandb-summary.json"]!)).toMatchObject({ "best/AP50:95": 0.5, "val/AP50:95": 0.25 });
    await append({ step: 70, epoch: 2, split: "train", loss: 0.5 });
    await sync((await writeWandbFile({ dir })).folder);
    expect(sent()).toEqual([...shown, { _step: 70, epoch: 2, "train/loss": 0.5 }]);
    expect(server.state.changedLines).toEqual([]);
  } finally {
    await server.stop();
  }
});
