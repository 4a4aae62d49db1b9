import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openTail, type Tail } from "./tail.ts";

let dir: string;
let path: string;
let tail: Tail;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "tail-"));
  path = join(dir, "metrics.jsonl");
  tail = await openTail(path);
});
afterEach(async () => {
  await tail.close();
  await rm(dir, { recursive: true });
});

const line = (step: number, split = "train", more: object = {}) =>
  `${JSON.stringify({ step, epoch: 0, split, loss: step, ...more })}\n`;

/** Steps that are whole. */
async function steps(through = Number.POSITIVE_INFINITY): Promise<number[]> {
  const found: number[] = [];
  for (let row = await tail.next(through); row; row = await tail.next(through)) found.push(row._step);
  return found;
}

it("a step is whole when a later one follows, or when nothing follows any more", async () => {
  expect(await steps()).toEqual([]); // there is no file yet
  await writeFile(path, line(1) + line(2));
  expect(await steps()).toEqual([1]);
  await appendFile(path, line(2, "val"));
  expect(await steps()).toEqual([]);
  await appendFile(path, line(3));
  expect(await tail.next(9)).toEqual({ _step: 2, epoch: 0, "train/loss": 2, "val/loss": 2 });
  expect(tail.flush()).toMatchObject({ _step: 3 });
  expect(tail.flush()).toBeUndefined();
});

it("a line that is being written is waited for", async () => {
  const next = line(2);
  await writeFile(path, line(1) + next.slice(0, 9));
  expect(await steps()).toEqual([]);
  await writeFile(path, line(1) + next + line(3));
  expect(await steps()).toEqual([1, 2]);
});

it("rows of steps that were not told of yet are left for later", async () => {
  await writeFile(path, line(1) + line(2) + line(3) + line(4));
  expect(await steps(2)).toEqual([1]);
  expect(await steps(2)).toEqual([]);
  expect(await steps(4)).toEqual([2, 3]);
});

it("a file that is longer than what is read at once comes whole, long lines too", async () => {
  const wide = { per_class: Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [`a class named ${i}`, 0.5])) };
  const lines = Array.from({ length: 3000 }, (_, i) => line(i + 1, "train", i % 1000 === 0 ? wide : {}));
  await writeFile(path, lines.join(""));
  expect(await steps()).toEqual(Array.from({ length: 2999 }, (_, i) => i + 1));
});
