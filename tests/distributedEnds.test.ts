// How trainings of several workers end, whatever becomes of one of them, and what they refuse.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { freeAddresses } from "../src/cli/launch/launchWorkers.ts";
import { readMetrics } from "../src/run/records/metricsFile.ts";
import { LAUNCHER, launch } from "./support/launcher.ts";
import { expectSameRun, tinyDataset } from "./support/tinyRun.ts";
import { runWorkers, trainRowsOf, workersFolder, writeTiny } from "./support/workers.ts";

const shared = workersFolder();

describe("ends", () => {
  /** Start workers without waiting for them; `at` resolves once metrics.jsonl has so many rows. */
  function begin(folder: string, words: readonly string[]) {
    const child = spawn(process.execPath, [LAUNCHER, ...words], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
    const done = new Promise<{ code: number | null; output: string }>((resolve) =>
      child.on("close", (code) => resolve({ code, output })),
    );
    const rows = () => (existsSync(join(folder, "metrics.jsonl")) ? readFileSync(join(folder, "metrics.jsonl"), "utf8").split("\n").length - 1 : 0); // biome-ignore format: one line
    const at = async (count: number) => {
      while (rows() < count && child.exitCode === null) await sleep(20);
    };
    const workers = () => {
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ");
      return children.map(Number).sort((a, b) => a - b);
    };
    return { child, done, at, workers };
  }

  let long: string;
  let whole: string;
  beforeAll(async () => {
    long = await writeTiny(shared, "long", {
      train: { epochs: 8, grad_accum_steps: 2 },
      checkpoint: { every_steps: 7 },
    });
    const ended = await runWorkers(shared, "whole", { workers: 2, file: long });
    expect(ended.code, ended.err).toBe(0);
    whole = ended.folder;
  }, 60_000);

  test("a killed worker ends all of them, launch starts them again, and the run ends in the same bytes", async () => {
    for (const rank of [0, 1]) {
      const folder = join(shared.dir, `killed-${rank}`);
      const { done, at, workers } = begin(folder, ["launch", "--nproc", "2", "--recipe", long, "--run", folder]);
      await at(12);
      process.kill(workers()[rank]!, "SIGKILL");
      const { code, output } = await done;
      expect(code, output).toBe(0);
      expect(output).toMatch(new RegExp(`Worker ${rank} was lost: all start again, from the last checkpoint`));
      await expectSameRun(whole, folder);
    }
  }, 120_000);

  test("without restarts the exit code is 75, the last finished step is saved, and other numbers of workers go on", async () => {
    const folder = join(shared.dir, "lost");
    const words = ["--recipe", long, "--run", folder];
    const { done, at, workers } = begin(folder, ["launch", "--nproc", "2", "--restarts", "0", ...words]);
    await at(12);
    process.kill(workers()[1]!, "SIGKILL");
    const { code, output } = await done;
    expect(code, output).toBe(75);
    expect(output).toMatch(/Worker 1 \(127.0.0.1:\d+\) is gone/);
    expect(output).toMatch(/go on from step (\d+) with: rfdetr-train resume/);
    const rows = trainRowsOf(await readMetrics(join(folder, "metrics.jsonl")));
    const state = JSON.parse(await readFile(join(folder, "checkpoints", "last", "state.json"), "utf8"));
    expect(state.step).toBe(rows.at(-1)!.step);
    const alone = await launch(["resume", folder]);
    expect(alone.code, alone.err).toBe(0);
    // several workers sum up in the order of one process
    await expectSameRun(whole, folder);
  }, 120_000);

  test("SIGTERM for one worker stops all of them after the same step, with one checkpoint", async () => {
    const folder = join(shared.dir, "stopped");
    const { done, at, workers } = begin(folder, ["launch", "--nproc", "2", "--recipe", long, "--run", folder]);
    await at(12);
    process.kill(workers()[1]!, "SIGTERM");
    const { code, output } = await done;
    expect(code, output).toBe(3);
    expect(output).toMatch(/Stopped after step \d+/);
    const again = await launch(["launch", "--nproc", "2", "--recipe", long, "--run", folder, "--resume"]);
    expect(again.code, again.err).toBe(0);
    await expectSameRun(whole, folder);
    expect(again.out).toMatch(/holds this run already: it goes on from its last checkpoint\.\n/);
    const words = ["launch", "--nproc", "2", "--recipe", long, "--run", folder, "--resume", "--set", "train.lr=0.5"];
    const finished = await launch(words);
    expect(finished.code, finished.err).toBe(0);
    expect(finished.out).toMatch(/Not used, as the run began otherwise: train.lr 0.5 \(the run: 0.001\)\./);
    expect(finished.out).toMatch(/This run is finished/);
  }, 120_000);
});

describe("refused", () => {
  /** Two workers that are started one by one, each in a folder and with words of its own. */
  async function pair(own: readonly { cwd?: string; words: string[] }[]) {
    const list = (await freeAddresses(own.length)).join(",");
    const words = ["--recipe", shared.recipe, "--run", join(shared.dir, "pair"), "--workers", list];
    return Promise.all(own.map(({ cwd, words: more }, rank) => launch([...words, "--rank", String(rank), ...more], { ...(cwd && { cwd }) }))); // biome-ignore format: one line
  }

  test("workers with other recipes, each in a sentence, and nothing is written", async () => {
    for (const { code, err } of await pair([{ words: [] }, { words: ["--set", "train.lr=0.5"] }])) {
      expect(err).toMatch(/Worker [01] and worker [01] differ in the recipe, or what --set changes in it/);
      expect(code).toBe(2);
    }
    expect(existsSync(join(shared.dir, "pair"))).toBe(false);
  }, 60_000);

  test("workers with other data behind the same path, as on two machines", async () => {
    const other = join(shared.dir, "other");
    await tinyDataset(other);
    const file = join(other, "train", "_annotations.coco.json");
    const labels = JSON.parse(await readFile(file, "utf8"));
    labels.annotations[0].bbox[0] += 1;
    await writeFile(file, JSON.stringify(labels));
    const machines = [join(shared.dir, "data"), other].map(async (data, rank) => {
      const cwd = join(shared.dir, `machine-${rank}`);
      await mkdir(cwd);
      await symlink(data, join(cwd, "set"));
      return { cwd, words: ["--set", "data.dir=set"] };
    });
    for (const { code, err } of await pair(await Promise.all(machines))) {
      expect(err).toMatch(/Worker [01] and worker [01] differ in the data set/);
      expect(code).toBe(2);
    }
  }, 60_000);

  test.each([
    [["launch", "--recipe", "x"], /nproc/],
    [["launch", "--nproc", "0", "--recipe", "nano"], /--nproc is 0/],
    [["launch", "--nproc", "2", "--rank", "1", "--recipe", "nano"], /--rank cannot be given to launch/],
    [["--recipe", "nano", "--rank", "1"], /--workers is missing/],
    [["--recipe", "nano", "--workers", "127.0.0.1:2222,127.0.0.1:2223", "--rank", "1", "--wait", "2"], /Worker 0 \(127.0.0.1:2222\) did not come within 2 seconds/],
    [["--recipe", "nano", "--workers", "a:1,b:2", "--rank", "0", "--wait", "0"], /--wait is 0/],
    [["--recipe", "nano", "--workers", "a:1,b:2", "--rank", "0", "--dry-run"], /--dry-run tries a recipe with one worker/],
    [["--recipe", "nano", "--workers", "no-such-host.invalid:1,b:2", "--rank", "0"], /host no-such-host.invalid of this worker is not known/],
    [["--recipe", "nano", "--workers", "127.0.0.1:2222,b:2", "--rank", "0", "--listen", "203.0.113.9"], /could not join the others at 203.0.113.9:2222/],
  ])("%j", async (words, message) => {
    const { code, err } = await launch(words as string[]);
    expect(err).toMatch(message);
    expect([2, 75]).toContain(code);
  }, 60_000); // biome-ignore format: one line

  test("a step that cannot be shared out, by all workers", async () => {
    const { code, err } = await runWorkers(shared, "uneven", { workers: 5 });
    expect(code).toBe(2);
    expect(err).toMatch(/5 workers cannot share a step evenly: it is of 12 x 1 images/);
  }, 60_000);
});
