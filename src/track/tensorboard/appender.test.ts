import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openAppender } from "./appender.ts";

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "appender-"));
  path = join(dir, "file");
});
afterEach(() => rm(dir, { recursive: true }));

const begin = [Buffer.from("begin ")];
const settle = () => new Promise((resolve) => setTimeout(resolve, 50));
const text = () => readFile(path, "utf8");

/** A file on a disk that becomes full in the midst of a piece, as long as `full` is true. */
async function openOnDisk(disk: { full: boolean }) {
  const file = await open(path, "ax");
  const append = file.appendFile.bind(file);
  file.appendFile = async (data) => {
    if (!disk.full) return append(data);
    await append((data as Uint8Array).subarray(0, 3));
    throw new Error("no space left");
  };
  return { file, begin };
}

test("pieces follow each other behind what the file begins with, and nothing is written before the first", async () => {
  const onError = vi.fn();
  const appender = openAppender(() => openOnDisk({ full: false }), { largest: 1000, onError });
  await settle();
  await expect(text()).rejects.toThrow("ENOENT");
  appender.add([Buffer.from("one "), Buffer.from("two ")]);
  await settle();
  expect(await text()).toBe("begin one two ");
  appender.add([Buffer.from("three")]);
  await appender.close({ withinMs: 5000 });
  appender.add([Buffer.from("late")]);
  await settle();
  expect(await text()).toBe("begin one two three");
  expect(onError).not.toHaveBeenCalled();
});

test("while the disk is full nothing half stays, trouble is told once, and what waits is written when there is space", async () => {
  const disk = { full: false };
  const onError = vi.fn();
  const appender = openAppender(() => openOnDisk(disk), { largest: 1000, onError });
  appender.add([Buffer.from("one ")]);
  await settle();
  disk.full = true;
  for (const word of ["two ", "three "]) {
    appender.add([Buffer.from(word)]);
    await settle();
  }
  expect(await text()).toBe("begin one ");
  expect(onError.mock.calls).toEqual([[new Error("no space left")]]);
  disk.full = false;
  appender.add([Buffer.from("four")]);
  await appender.close({ withinMs: 5000 });
  expect(await text()).toBe("begin one two three four");
});

test("when too much waits, all later pieces are dropped, so that the file has no hole", async () => {
  const disk = { full: true };
  const onError = vi.fn();
  const appender = openAppender(() => openOnDisk(disk), { largest: 20, onError });
  for (let i = 0; i < 5; i++) {
    appender.add([Buffer.from("12345678")]);
    await settle();
  }
  disk.full = false;
  appender.add([Buffer.from("later")]);
  await appender.close({ withinMs: 5000 });
  expect(await text()).toBe("");
  expect(onError).toHaveBeenCalledTimes(1);
});

test("closing gives up on a file that hangs", async () => {
  const appender = openAppender(() => new Promise(() => {}), { largest: 1000, onError: () => {} });
  appender.add([Buffer.from("one")]);
  const began = Date.now();
  await appender.close({ withinMs: 100 });
  expect(Date.now() - began).toBeLessThan(5000);
});
