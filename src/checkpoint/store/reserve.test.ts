import { mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { diskOf, diskReserve, RESERVE } from "./reserve.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "reserve-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const held = () => stat(join(dir, RESERVE)).then(({ size, blocks }) => ({ size, blocks: blocks * 512 }), () => undefined); // biome-ignore format: one line

test("a reserve takes real room, once, and gives it back", async () => {
  const bytes = 5_000_001;
  const reserve = diskReserve(dir, bytes);
  expect(await reserve.release()).toBe(false);
  expect(await reserve.hold()).toBeUndefined();
  const { size, blocks } = (await held())!;
  expect(size).toBe(bytes);
  expect(blocks).toBeGreaterThanOrEqual(bytes);
  const before = await stat(join(dir, RESERVE));
  expect(await reserve.hold()).toBeUndefined();
  expect((await stat(join(dir, RESERVE))).ino).toBe(before.ino);
  expect(await reserve.release()).toBe(true);
  expect(await held()).toBeUndefined();
});

test("what a killed process has left of a reserve is made whole, and a link is not followed", async () => {
  await writeFile(join(dir, RESERVE), "part");
  const reserve = diskReserve(dir, 10_000);
  await reserve.hold();
  expect((await held())!.size).toBe(10_000);
  await reserve.release();
  await writeFile(join(dir, "other"), "mine");
  await symlink("other", join(dir, RESERVE));
  await reserve.hold();
  expect((await held())!.size).toBe(10_000);
  expect(await readFile(join(dir, "other"), "utf8")).toBe("mine");
});

test("one that is given back while it is written is not there afterwards", async () => {
  const reserve = diskReserve(dir, 50_000_000);
  const holding = reserve.hold();
  await reserve.release();
  await holding;
  expect(await held()).toBeUndefined();
});

test("where there is no room for it, that is said and no part of it stays; one of nothing takes nothing", async () => {
  const why = await diskReserve(dir, 1e15).hold();
  expect(await diskReserve(dir, 1e15).fits()).toBe(false);
  expect(await diskReserve(dir, 1e6).fits()).toBe(true);
  expect(why).toContain(`The disk of ${dir} has no room to hold 1000000.0 GB in reserve`);
  expect(await held()).toBeUndefined();
  expect(await diskReserve(dir, 0).hold()).toBeUndefined();
  expect(await held()).toBeUndefined();
});

test("the disk of a folder is where it is mounted", async () => {
  expect(dir.startsWith(await diskOf(dir))).toBe(true);
  expect(await diskOf("/proc/self")).toBe("/proc");
  expect((await diskReserve(dir, 3e6).fact()).value).toMatch(/ free; 3 MB, as much as a checkpoint takes, are held/);
});
