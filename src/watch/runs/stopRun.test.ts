import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { thisProcess } from "../../util/threads/lock.ts";
import { stopRun } from "./stopRun.ts";

let dir: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stop-"));
  await writeFile(join(dir, "metrics.jsonl"), "");
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

/** A process that says what signals it gets; `opens`: whether it has the run's rows open; `name`: that of its program. */
async function writer({ opens = true, name = "rfdetr-train" } = {}): Promise<ChildProcess> {
  const script = [
    opens ? `require("fs").openSync(${JSON.stringify(join(dir, "metrics.jsonl"))}, "a+");` : "",
    `process.on("SIGTERM", () => console.log("SIGTERM"));`,
    `setInterval(() => {}, 1000); console.log("ready");`,
  ].join("\n");
  await writeFile(join(dir, name), script);
  const child = spawn(process.execPath, [join(dir, name)], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout!, "data");
  return child;
}

async function lockedBy(pid: number, changes: object = {}): Promise<void> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const began = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  await writeFile(join(dir, "run.lock"), JSON.stringify({ ...(await thisProcess()), pid, began, ...changes }));
}

test.runIf(process.platform === "linux")("the process that writes the run gets SIGTERM, and once only", async () => {
  const child = await writer();
  await lockedBy(child.pid!);
  const heard: string[] = [];
  child.stdout!.on("data", (text: Buffer) => heard.push(String(text)));
  expect(await stopRun(dir)).toEqual({ asked: true, message: expect.stringContaining("with a checkpoint") });
  expect(await stopRun(dir)).toEqual({ asked: true, message: expect.stringContaining("asked already") });
  await new Promise((done) => setTimeout(done, 300));
  expect(heard.join("")).toBe("SIGTERM\n");
});

test.runIf(process.platform === "linux")("no other process is sent anything, whatever run.lock says", async () => {
  const [stranger, other] = [await writer({ opens: false }), await writer({ name: "own.js" })];
  const ends = () => [stranger, other].map(({ exitCode, signalCode }) => exitCode ?? signalCode);
  await lockedBy(stranger.pid!);
  expect(await stopRun(dir)).toEqual({ asked: false, message: expect.stringContaining("does not write this run") });
  await lockedBy(other.pid!);
  expect(await stopRun(dir)).toEqual({ asked: false, message: expect.stringContaining("is a program of its own") });
  await lockedBy(other.pid!, { host: "far-away" });
  expect(await stopRun(dir)).toEqual({ asked: false, message: expect.stringContaining("another machine (far-away)") });
  await lockedBy(other.pid!, { began: "1" }); // its number was another one's before
  expect(await stopRun(dir)).toEqual({ asked: false, message: "No process writes this run now." });
  for (const lock of ["", "[]", '{"pid":1}', '{"pid":-1,"began":"1"}', '{"pid":0,"began":"1"}']) {
    await writeFile(join(dir, "run.lock"), lock);
    expect((await stopRun(dir)).asked, lock).toBe(false);
  }
  await rm(join(dir, "run.lock"));
  expect((await stopRun(dir)).asked).toBe(false);
  await new Promise((done) => setTimeout(done, 200));
  expect(ends()).toEqual([null, null]);
});
