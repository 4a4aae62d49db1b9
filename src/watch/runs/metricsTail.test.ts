import { appendFile, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { metricsTail } from "./metricsTail.ts";

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "tail-"));
  path = join(dir, "metrics.jsonl");
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const line = (step: number, loss = 1) => `${JSON.stringify({ step, epoch: 0, split: "train", loss })}\n`;
const steps = async (tail: ReturnType<typeof metricsTail>) => (await tail.read()).map(({ step }) => step);

test("rows come as they are appended; a file that is not there has none, and half a line waits", async () => {
  const tail = metricsTail(path);
  expect(await steps(tail)).toEqual([]);
  await writeFile(path, line(1) + line(2).slice(0, 9));
  expect(await steps(tail)).toEqual([1]);
  await appendFile(path, line(2).slice(9) + line(3));
  expect(await steps(tail)).toEqual([1, 2, 3]);
  expect(await steps(tail)).toEqual([1, 2, 3]);
  tail.forget();
  expect(await steps(tail)).toEqual([1, 2, 3]);
  await rm(path);
  expect(await steps(tail)).toEqual([]);
});

test("a file that was cut back, replaced or written again from an earlier row on is read anew", async () => {
  const tail = metricsTail(path);
  await writeFile(path, [1, 2, 3].map((step) => line(step)).join(""));
  await tail.read();
  await truncate(path, line(1).length);
  expect(await steps(tail)).toEqual([1]);
  await appendFile(path, line(2) + line(3));
  await tail.read();
  await truncate(path, line(1).length); // and is as long as before when it is looked at again
  await appendFile(path, line(2, 7) + line(3, 7) + line(4, 7));
  expect((await tail.read()).map((row) => (row as { loss: number }).loss)).toEqual([1, 7, 7, 7]);
  await rm(path);
  await writeFile(path, line(9));
  expect(await steps(tail)).toEqual([9]);
});

test("what is no row is told, but at the end, where it may be torn; links are not followed", async () => {
  const tail = metricsTail(path);
  await writeFile(path, `${line(1)}{"torn\n`);
  expect(await steps(tail)).toEqual([1]);
  await writeFile(path, `${line(1)}nonsense\n${line(2)}`);
  await expect(metricsTail(path).read()).rejects.toThrow("metrics.jsonl:2: this line is no metrics row");
  await rm(path);
  await writeFile(join(dir, "other"), line(1));
  await symlink(join(dir, "other"), path);
  await expect(tail.read()).rejects.toThrow("is a link");
});
