import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MEMORY, TIME, writeHuge } from "../../tests/support/hugeOnnx.ts";
import { UserError } from "../util/errors.ts";
import { tryOnnx } from "./trial.ts";
import { PATIENCE, trialLimits } from "./trialLimits.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "onnx-trial-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Seconds and gigabytes that a trial gets here. */
const trial = (path: string, seconds: number, gigabytes: number) =>
  tryOnnx(path, {
    ...{ counts: [1], threads: 1, feeds: (_, count) => ({ input: [count, 3, 8, 8] }) },
    limitsOf: () => ({ seconds, bytes: gigabytes * 1e9 }),
  });

test("a file that takes little passes, and is not tried again before it changes", async () => {
  const path = join(folder, "small.onnx");
  await writeHuge(path, (_, x) => x, "n");
  const asked: number[] = [];
  const feeds = (_: unknown, count: number) => {
    asked.push(count);
    return { input: [count, 3, 8, 8] };
  };
  const options = { counts: [1, 3], threads: 1, feeds };
  await tryOnnx(path, options);
  await tryOnnx(path, options);
  expect(asked).toEqual([1, 3]);
  await writeHuge(path, (graph, x) => graph.op("Exp", [x]), "n");
  await tryOnnx(path, options);
  expect(asked).toEqual([1, 3, 1, 3]);
});

test("what the inputs are refused for, and what onnxruntime refuses, is thrown as it is", async () => {
  const path = join(folder, "refused.onnx");
  await writeHuge(path, (graph, x) => graph.op("Reshape", [x, graph.ints(7)]));
  const feeds = () => {
    throw new UserError("no detector", { hint: "Another one." });
  };
  await expect(tryOnnx(path, { counts: [1], threads: 1, feeds })).rejects.toMatchObject({ hint: "Another one." });
  await expect(trial(path, 10, 2)).rejects.toThrow(/refused\.onnx fails while it runs/);
  await expect(trial(join(folder, "none.onnx"), 10, 2)).rejects.toThrow(/Cannot read .*none\.onnx/);
});

describe("work that is too much is refused", () => {
  test.each(Object.entries(MEMORY))("memory: %s", async (name, work) => {
    const path = join(folder, `${name}.onnx`);
    await writeHuge(path, work);
    const refused = await trial(path, 60, 0.4).catch((cause: unknown) => cause);
    expect(refused).toBeInstanceOf(UserError); // a machine with little memory does not even promise so much
    expect(String(refused)).toMatch(/\.onnx (takes more than 0\.4 GB of memory|fails while it runs: .*memory)/);
  });

  test.each(Object.entries(TIME))("time: %s", async (name, work) => {
    const path = join(folder, `${name}.onnx`);
    await writeHuge(path, work);
    await expect(trial(path, 0.5, 8)).rejects.toThrow(
      /\.onnx takes more than 0\.[58] s (of processor time )?to be opened/,
    );
  });
});

test("a process that tries a file ends with the one that started it", async () => {
  const path = join(folder, "orphan.onnx");
  await writeHuge(path, TIME.products!);
  const module = JSON.stringify(join(import.meta.dirname, "trial.ts"));
  const options = `{ counts: [1], feeds: () => { console.log("open"); return { input: [1, 3, 8, 8] }; }, limitsOf: () => ({ seconds: 60, bytes: 8e9 }) }`;
  const script = `import(${module}).then(({ tryOnnx }) => tryOnnx(${JSON.stringify(path)}, ${options}))`;
  const starter = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), "-e", script]);
  await once(starter.stdout, "data");
  const list = () => execFileSync("ps", ["-A", "-o", "pid=,ppid=,command="], { encoding: "utf8" }).split("\n");
  const child = list().find(
    (line) => line.includes("trialProcess") && line.trim().split(/\s+/)[1] === `${starter.pid}`,
  );
  const pid = Number(child?.trim().split(/\s+/)[0]);
  expect(pid).toBeGreaterThan(0);
  starter.kill("SIGKILL");
  const lives = () => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  for (let i = 0; i < 100 && lives(); i++) await sleep(50);
  expect(lives()).toBe(false);
});

test("limits grow with the file and its images, far beyond what detectors were measured to take", () => {
  // measured on two busy cores: seconds of both, and gigabytes
  for (const [bytes, images, side, seconds, gigabytes] of [
    [113e6, 1, 384, 2, 0.3],
    [113e6, 4, 384, 7, 0.4],
    [487e6, 1, 560, 15, 1],
    [460e6, 4, 880, 200, 2.7],
    [478e6, 1, 1760, 320, 8],
  ] as const) {
    const limits = trialLimits({ bytes, images, side });
    expect(limits.seconds).toBeGreaterThan(4 * seconds);
    if (limits.bytes < 0.5 * gigabytes * 1e9) continue; // the machine has no more
    expect(limits.bytes).toBeGreaterThan(2 * gigabytes * 1e9);
  }
  const { seconds, bytes } = trialLimits({ bytes: 1000, images: 1, side: 64 });
  expect(PATIENCE * seconds).toBeLessThan(8);
  expect(bytes).toBeLessThan(1e9);
});
