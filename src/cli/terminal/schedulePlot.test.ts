import { expect, test } from "vitest";
import { VARIANTS } from "../../architecture/variants.ts";
import { leafShapes } from "../../architecture/weights/table.ts";
import type { Schedule } from "../../step/optimiser/schedule.ts";
import { outlineSchedule } from "../../train/stages/scheduleOutline.ts";
import { type Stage, stagePlan } from "../../train/stages/stages.ts";
import { plotSchedule } from "./schedulePlot.ts";

const COSINE: Schedule = { name: "cosine", warmupEpochs: 1, minFactor: 0.1, lrDrop: 100 };
const SHAPES = leafShapes(VARIANTS.nano);
const stage = (from_epoch: number, train: string[], lr_factor = 1) => ({ from_epoch, train, lr_factor });

function plan(stages: ReturnType<typeof stage>[] | null): Stage[] {
  return stagePlan(stages, SHAPES, { freezeEncoder: false });
}

const FOUR = plan([
  stage(0, ["heads"]),
  stage(2, ["heads", "decoder", "projector"]),
  stage(5, ["heads", "decoder", "projector", "backbone.blocks.8-11"], 0.5),
  stage(20, ["all"], 0.5),
]);

test("an outline has the factor of schedule and stage at the first and the last step and between, and all stages", () => {
  const outline = outlineSchedule(COSINE, FOUR, { epochs: 10, stepsPerEpoch: 40, totalSteps: 400 });
  const { points, stages } = outline;
  expect(points[0]).toEqual({ epoch: 0, factor: 0 });
  expect(points.at(-1)!.epoch).toBe(399 / 40);
  expect(points.at(-1)!.factor).toBeCloseTo(0.05, 3);
  const [before, after] = [points.findLast(({ epoch }) => epoch < 5)!, points.find(({ epoch }) => epoch >= 5)!];
  expect(after.factor / before.factor).toBeCloseTo(0.5, 1);
  expect(stages.map(({ fromEpoch, lrFactor, reached }) => [fromEpoch, lrFactor, reached])).toEqual([
    [0, 1, true],
    [2, 1, true],
    [5, 0.5, true],
    [20, 0.5, false],
  ]);
});

test("the plot shows warm-up, decay, where stages begin and what trains in them, in 80 columns", () => {
  const text = plotSchedule(outlineSchedule(COSINE, FOUR, { epochs: 10, stepsPerEpoch: 40, totalSteps: 400 }));
  const lines = text.split("\n");
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  expect(lines[0]).toMatch(/^ {2}1\.00 ┤ {8}•{9,}/);
  expect(lines[8]).toMatch(/^ {2}0\.00 ┤•/);
  expect(lines[9]!.indexOf("┴")).toBe(8 + Math.floor((71 * 2) / 10));
  expect(lines[10]).toMatch(/^epoch {3}0 +2 +4 +6 +8$/);
  expect(lines[11]).toMatch(/^stage {3}1 +2 +3$/);
  expect(lines.slice(12)).toEqual([
    expect.stringMatching(/^stage 1, from epoch 0: [\d.]+ M of [\d.]+ M: heads$/),
    expect.stringMatching(/^stage 2, from epoch 2: .*: heads, decoder, projector$/),
    expect.stringMatching(/^stage 3, from epoch 5, rates x 0.5: .*: heads, decoder,$/),
    "    projector, backbone.blocks.8-11",
    expect.stringMatching(/^stage 4, from epoch 20 \(after the end\), rates x 0.5: .*: all$/),
  ]);
});

test("a run of any length and schedule has a plot: one step, many epochs, rates above one, a constant", () => {
  for (const [schedule, epochs, totalSteps] of [
    [COSINE, 1, 1],
    [COSINE, 1, 3],
    [{ ...COSINE, name: "step", lrDrop: 30 }, 1000, 5000],
    [{ ...COSINE, name: "constant", warmupEpochs: 0 }, 3, 7],
  ] as const) {
    const stages = plan([stage(0, ["all"], 3)]);
    const text = plotSchedule(outlineSchedule(schedule, stages, { epochs, stepsPerEpoch: 5, totalSteps }));
    const lines = text.split("\n");
    expect(lines.length).toBe(11);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(text).not.toMatch(/NaN|undefined/);
    if (schedule.name === "constant") expect(lines[0]).toMatch(/^ {2}3\.00 ┤•{71}$/);
  }
});
