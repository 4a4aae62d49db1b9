import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Schedule, scheduleFactor } from "./schedule.ts";

type Case = Schedule & { epochs: number; stepsPerEpoch: number; factors: number[] };
const cases = (JSON.parse(readFileSync("tests/fixtures/train/reference.json", "utf8")) as { schedules: Case[] })
  .schedules;

test.each(cases)("the $name schedule with $warmupEpochs warm-up epochs is the reference's at every step", (one) => {
  const { epochs, stepsPerEpoch, factors } = one;
  const ours = factors.map((_, step) => scheduleFactor(one, step, { epochs, stepsPerEpoch }));
  ours.forEach((factor, step) => {
    expect(factor).toBeCloseTo(factors[step]!, 12);
  });
});

test("the constant schedule stays at 1 after its warm-up, whose first step has the factor 0", () => {
  const schedule: Schedule = { name: "constant", warmupEpochs: 0.5, minFactor: 0, lrDrop: 100 };
  const factors = [0, 1, 2, 3, 7].map((step) => scheduleFactor(schedule, step, { epochs: 2, stepsPerEpoch: 4 }));
  expect(factors).toEqual([0, 0.5, 1, 1, 1]);
});
