import { expect, test } from "vitest";
import { pythonChoice } from "./mersenne.ts";

const choices = (seeds: number[], length: number) => seeds.map((seed) => pythonChoice(seed, length));

test("the choices are those of CPython's random.Random(seed).choice", () => {
  const steps = Array.from({ length: 12 }, (_, step) => step);
  expect(choices(steps, 11)).toEqual([6, 2, 0, 3, 3, 9, 9, 5, 3, 7, 9, 7]);
  expect(choices(steps, 8)).toEqual([6, 2, 0, 3, 3, 4, 1, 5, 3, 7, 0, 7]);
  expect(choices([100, 12345, 2 ** 31, 2 ** 32 + 5, 999999], 11)).toEqual([2, 6, 5, 2, 3]);
});

test("one item is always chosen", () => {
  expect(choices([0, 1, 2, 3], 1)).toEqual([0, 0, 0, 0]);
});
