import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { orGivenUp, pause, untilGivenUp } from "./giveUp.ts";

async function* counting(onEnd: () => void = () => {}) {
  try {
    for (let i = 0; i < 3; i++) yield i;
  } finally {
    onEnd();
  }
}

test("items come as they are, and whoever leaves early ends what makes them", async () => {
  let ended = 0;
  const signal = new AbortController().signal;
  const seen = [];
  for await (const item of untilGivenUp(counting(), signal)) seen.push(item);
  expect(seen).toEqual([0, 1, 2]);
  for await (const _ of untilGivenUp(
    counting(() => ended++),
    signal,
  ))
    break;
  expect(ended).toBe(1);
});

test("a signal that is heard ends items that are made without a pause", async () => {
  const controller = new AbortController();
  const endless = async function* () {
    for (;;) yield 1;
  };
  const timer = sleep(20).then(() => controller.abort(new Error("enough")));
  const all = async () => {
    for await (const _ of untilGivenUp(endless(), controller.signal));
  };
  await expect(all()).rejects.toThrow("enough");
  await timer;
});

test("an item that never comes is not waited for", async () => {
  const controller = new AbortController();
  const stuck = async function* () {
    yield await new Promise<number>(() => {});
  };
  const all = async () => {
    for await (const _ of untilGivenUp(stuck(), controller.signal));
  };
  setTimeout(() => controller.abort(new Error("enough")), 20);
  await expect(all()).rejects.toThrow("enough");
});

test("a value or an error that is there first is what comes, and what comes later disturbs nobody", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  expect(await orGivenUp(Promise.resolve(1), signal)).toBe(1);
  await expect(orGivenUp(Promise.reject(new Error("broken")), signal)).rejects.toThrow("broken");
  const late = orGivenUp(
    sleep(20).then(() => Promise.reject(new Error("late"))),
    signal,
  );
  controller.abort(new Error("enough"));
  await expect(late).rejects.toThrow("enough");
  await expect(orGivenUp(Promise.resolve(1), signal)).rejects.toThrow("enough");
  await expect(pause(signal)).rejects.toThrow("enough");
  await sleep(40); // an error that nobody took would end this process
});
