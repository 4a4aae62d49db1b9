import fs from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openLog } from "../log.ts";
import { readLog } from "../runLog.ts";
import { openLogFile } from "./logFile.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "log-file-"));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

/** A disk that takes `room` bytes more; returns what makes room again. */
function fillDisk(room: number): () => void {
  const real = fs.writeSync.bind(fs) as (file: number, bytes: Buffer, from: number, length?: number) => number;
  let left = room;
  const full = (file: number, bytes: Buffer, from: number) => {
    if (left === 0) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    const written = real(file, bytes, from, Math.min(left, bytes.length - from));
    left -= written;
    return written;
  };
  const spy = vi.spyOn(fs, "writeSync").mockImplementation(full as never);
  return () => spy.mockRestore();
}

const messages = async (path: string) =>
  (await readFile(path, "utf8")).split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line).msg as string]));

test("lines that a full disk did not take follow as soon as it has room, in order and whole", async () => {
  const path = join(folder, "log.jsonl");
  const log = openLog(path);
  log.info("one");
  const makeRoom = fillDisk(20);
  for (const message of ["two", "three"]) log.warn(message);
  expect(await messages(path)).toEqual(["one"]);
  makeRoom();
  log.info("four");
  expect(await messages(path)).toEqual(["one", "two", "three", "four"]);
  const again = fillDisk(0);
  log.error("five");
  again();
  log.close();
  expect(await messages(path)).toEqual(["one", "two", "three", "four", "five"]);
});

test("of more than can wait the oldest are given up, and a warning in their place counts them", async () => {
  const path = join(folder, "log.jsonl");
  const log = openLogFile(path, { mostWaiting: 100 });
  const line = (msg: string) => `${JSON.stringify({ level: 30, time: new Date().toISOString(), msg })}\n`;
  log.write(line("one"));
  const makeRoom = fillDisk(0);
  for (const msg of ["two", "three", "four"]) log.write(line(msg));
  makeRoom();
  log.write(line("five"));
  log.close();
  const missing = "3 lines are missing here: the log could not be written";
  expect(await messages(path)).toEqual(["one", missing, "five"]);
  expect((await readLog(path)).events.map(({ level, message }) => [level, message])).toContainEqual([
    "warning",
    missing,
  ]);
});

test("a log whose file cannot be made yet is made later", async () => {
  const path = join(folder, "log.jsonl");
  const spy = vi.spyOn(fs, "openSync").mockImplementation(() => {
    throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
  });
  const log = openLog(path);
  log.info("one");
  spy.mockRestore();
  log.info("two");
  log.close();
  expect(await messages(path)).toEqual(["one", "two"]);
});
