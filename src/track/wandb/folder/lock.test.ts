import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { lockHolder, releaseLock, takeLock } from "./lock.ts";
import { lastExitCode } from "./outcome.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "lock-"));
});
afterAll(() => rm(dir, { recursive: true }));

it("a run is held by the process that took it until it is released", async () => {
  expect(await lockHolder(dir)).toBeUndefined();
  await takeLock(dir);
  expect(await lockHolder(dir)).toBe(process.pid);
  await releaseLock(dir);
  expect(await lockHolder(dir)).toBeUndefined();
});

it("a process that is gone holds nothing, nor does another one that got its number", async () => {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  const file = join(dir, "wandb", "sending.json");
  await writeFile(file, JSON.stringify({ pid: child.pid, began: "1" }));
  expect(await lockHolder(dir)).toBeUndefined();
  await takeLock(dir);
  const own = JSON.parse(await readFile(file, "utf8")) as { began: string };
  if (process.platform === "linux") expect(own.began).toMatch(/^\d+$/);
  await writeFile(file, JSON.stringify({ pid: process.pid, began: `${own.began}0` }));
  expect(await lockHolder(dir)).toBeUndefined();
});

it("the end of a run is the last that its log has, and a run that began again has none", async () => {
  const log = (...messages: string[]) =>
    writeFile(join(dir, "log.jsonl"), messages.map((msg) => `${JSON.stringify({ msg })}\n`).join(""));
  expect(await lastExitCode(dir)).toBeNull();
  await log("started", "evaluated", "done", "W&B has the whole run");
  expect(await lastExitCode(dir)).toBe(0);
  await log("started", "interrupted");
  expect(await lastExitCode(dir)).toBe(3);
  await log("started", "failed", "resumed", "evaluated");
  expect(await lastExitCode(dir)).toBeNull();
  await writeFile(join(dir, "log.jsonl"), '{"msg":"started"}\n{"msg":"failed"}\n{"ms');
  expect(await lastExitCode(dir)).toBe(1);
});
