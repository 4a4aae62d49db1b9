import { expect, test } from "vitest";
import { giveBytes, takeBytes } from "./spareBytes.ts";

const addresses = (...lengths: number[]) => lengths.map((length) => takeBytes(length).buffer);

test("memory that was given is taken once, the smallest that is large enough", () => {
  const [large, small] = [takeBytes(300_000), takeBytes(100_000)];
  expect([large.length, small.length]).toEqual([300_000, 100_000]);
  for (const one of [large, small, small]) giveBytes(one);
  const [first, second, third] = addresses(90_000, 100_001, 5);
  expect([first === small.buffer, second === large.buffer, third === small.buffer]).toEqual([true, true, false]);
});

test("memory of others and very large pieces are let go, and no more than some are kept", () => {
  const given = [new Uint8Array(500), takeBytes(2 ** 22 + 1)];
  for (const one of given) giveBytes(one);
  expect(addresses(500, 2 ** 22 + 1).map((buffer, i) => buffer === given[i]!.buffer)).toEqual([false, false]);
  const many = Array.from({ length: 20 }, () => takeBytes(1000));
  for (const one of many) giveBytes(one);
  const buffers = new Set(many.map(({ buffer }) => buffer));
  expect(many.map(() => takeBytes(1000)).filter(({ buffer }) => buffers.has(buffer))).toHaveLength(6);
  const mixed = [5, 3, 1, 4, 2, 7, 6].map((n) => takeBytes(n * 100_000)); // the smallest goes
  for (const one of mixed) giveBytes(one);
  expect(addresses(150_000)[0] === mixed[4]!.buffer).toBe(true);
});
