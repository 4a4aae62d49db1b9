import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { inFlight } from "./inFlight.ts";

async function* numbers(count: number) {
  for (let i = 0; i < count; i++) yield i;
}

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of all) list.push(one);
  return list;
}

test("results come in the order of the items, and two are under way at a time", async () => {
  let [now, most] = [0, 0];
  const work = async (item: number) => {
    most = Math.max(most, ++now);
    await pause(item % 2 === 0 ? 20 : 1); // every second one overtakes
    now--;
    return item;
  };
  expect(await collect(inFlight(numbers(7), work))).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(most).toBe(2);
  expect(await collect(inFlight(numbers(1), work))).toEqual([0]);
  expect(await collect(inFlight(numbers(0), work))).toEqual([]);
});

test("where one fails, the error is thrown in its turn, and the others are over by then", async () => {
  const over: number[] = [];
  const given: number[] = [];
  const work = async (item: number) => {
    await pause(item === 1 ? 1 : 20);
    over.push(item);
    if (item === 1) throw new Error("no good");
    return item;
  };
  const run = async () => {
    for await (const item of inFlight(numbers(5), work)) given.push(item);
  };
  await expect(run()).rejects.toThrow("no good");
  expect(given).toEqual([0]);
  expect(over.toSorted()).toEqual([0, 1, 2]);
});

test("who stops early waits for what is under way", async () => {
  const over: number[] = [];
  const work = async (item: number) => {
    await pause(10);
    over.push(item);
    return item;
  };
  for await (const item of inFlight(numbers(9), work)) if (item === 0) break;
  expect(over).toEqual([0, 1]);
});
