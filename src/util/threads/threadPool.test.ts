import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { learn } from "../../../tests/support/pupilThread.ts";
import { UserError } from "../errors.ts";
import { createThreadPool, type ThreadPool } from "./threadPool.ts";

const SUPPORT = pathToFileURL(`${import.meta.dirname}/../../../tests/support/pupils.ts`).href;

function poolOf(threads: number): ThreadPool<typeof learn> {
  const pool = createThreadPool<typeof learn>({ module: "pupilThread", from: SUPPORT, threads, name: "A pupil" });
  onTestFinished(() => pool.close());
  return pool;
}

test("every order gets its own answer, whichever thread is the first to be done", async () => {
  const pool = poolOf(2);
  const answers = await Promise.all([60, 0, 20, 0].map((wait, i) => pool.run({ say: [i, i + 0.5], wait })));
  expect(answers.map(({ said }) => [...said])).toEqual([0, 1, 2, 3].map((i) => [i, i + 0.5]));
  expect(new Set(answers.map(({ thread }) => thread)).size).toBe(2);
});

test("what the work throws arrives as it was thrown, and the thread goes on", async () => {
  const pool = poolOf(1);
  const { thread } = await pool.run({});
  const broken = await pool.run({ fail: "user" }).catch((cause) => cause);
  expect(broken).toBeInstanceOf(UserError);
  expect(broken).toMatchObject({ message: "the file is broken", hint: "Replace it." });
  const bug = await pool.run({ fail: "bug" }).catch((cause) => cause);
  expect(bug).not.toBeInstanceOf(UserError);
  expect(bug).toMatchObject({ message: "not a function", stack: expect.stringContaining("pupilThread.ts") });
  await expect(pool.run({ fail: "no data" })).rejects.toThrow(/could not be cloned/);
  await expect(pool.run({ say: (() => {}) as never })).rejects.toThrow(/could not be cloned/);
  expect((await pool.run({})).thread).toBe(thread);
});

test("a thread that ends fails the orders it had, and another one takes its place", async () => {
  const pool = poolOf(1);
  const lost = [{ fail: "crash" as const }, { say: [1] }].map((order) => pool.run(order));
  for (const one of lost) await expect(one).rejects.toThrow("A pupil ended with code 3.");
  expect([...(await pool.run({ say: [2] })).said]).toEqual([2]);
});

test("an order that is not wanted any more fails at once, and its thread skips it", async () => {
  const pool = poolOf(1);
  const stop = new AbortController();
  const busy = pool.run({ wait: 200 });
  const begin = performance.now();
  const dropped = pool.run({ wait: 5000 }, { signal: stop.signal });
  stop.abort();
  await expect(dropped).rejects.toThrow("not wanted any more");
  await expect(pool.run({}, { signal: stop.signal })).rejects.toThrow("not wanted any more");
  await busy;
  await pool.run({});
  expect(performance.now() - begin).toBeLessThan(4000);
});

test("closing ends the threads and fails what is under way", async () => {
  const pool = poolOf(1);
  const lost = expect(pool.run({ wait: 5000 })).rejects.toThrow(/^A pupil ended with code \d\.$/);
  await pool.close();
  await lost;
  await expect(pool.run({})).rejects.toThrow("not wanted any more");
});
