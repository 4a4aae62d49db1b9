import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { clockTime } from "./bar.ts";
import { barLine, plainLine, progressView, type ShownProgress, stepClock } from "./progress.ts";

const progress: ShownProgress = {
  ...{ epoch: 3, epochs: 50, step: 120, steps: 1000, loss: 7.43219, learningRate: 1e-4, imagesPerSecond: 12.345 },
  ...{ dataWait: 0.021, memoryBytes: 1.24e9, secondsLeft: 725, ap: 0.2541 },
};

describe("the progress line", () => {
  it("without a terminal holds everything", () => {
    expect(plainLine(progress)).toBe(
      "epoch 3/50  step 120/1000  loss 7.432  AP 0.254  lr 1.00e-4  12.3 img/s  wait 2%  1.2 GB  12m 05s left",
    );
    expect(plainLine({ ...progress, ap: undefined, loss: Number.NaN, secondsLeft: Number.POSITIVE_INFINITY })).toBe(
      "epoch 3/50  step 120/1000  loss -  lr 1.00e-4  12.3 img/s  wait 2%  1.2 GB  - left",
    );
  });

  it("on a wide terminal has a bar and everything", () => {
    const line = barLine(progress, 200);
    expect(line).toMatch(/^█{4}░{26} {2}epoch 3\/50 .* left$/);
    expect(line).toContain(plainLine(progress));
  });

  it("on a narrow terminal keeps what matters and never wraps", () => {
    for (let width = 1; width <= 200; width++) expect(barLine(progress, width).length).toBeLessThanOrEqual(width);
    expect(barLine(progress, 60)).toContain("12m 05s");
    expect(barLine(progress, 60)).not.toContain("GB");
    expect(barLine(progress, 22)).toContain("loss 7.432");
    expect(barLine(progress, 3)).toBe("12%");
  });
});

it("a bar has ten cells or more at every usual width, and says what is left; the rate goes first", () => {
  for (let width = 40; width <= 200; width++) expect(barLine(progress, width)).toMatch(/^[█░]{10,30} {2}/);
  expect(barLine(progress, 59)).toMatch(/120\/1000 {2}loss 7\.432 {2}12m 05s left$/);
  expect(barLine(progress, 79)).toMatch(/loss 7\.432 {2}AP 0\.254 {2}.*12m 05s left$/);
  expect(barLine(progress, 139)).toContain(plainLine(progress));
  const widths = (word: string) => [...Array(140).keys()].filter((width) => !barLine(progress, width).includes(word));
  expect(widths("lr ").at(-1)).toBeGreaterThan(widths("GB").at(-1)!);
  expect(widths("GB").at(-1)).toBeGreaterThan(widths("wait").at(-1)!);
  expect(widths("wait").at(-1)).toBeGreaterThan(widths("img/s").at(-1)!);
});

it("durations read well at every length", () => {
  expect([0, 59.6, 61, 3599, 3600, 90_000, -1].map(clockTime)).toEqual([
    "0s",
    "1m 00s",
    "1m 01s",
    "59m 59s",
    "1h 00m",
    "1d 01h",
    "-",
  ]);
});

it("the time left follows the median step and leaves out pauses", () => {
  let time = 0;
  const clock = stepClock(() => time);
  const left = [1, 2, 3, 4].map((step) => {
    time += step === 2 ? 30 : 2;
    return clock.step(step, 104);
  });
  expect(left[3]).toBe(200);
  time += 500;
  clock.skip();
  time += 2;
  expect(clock.step(5, 105)).toBe(200);
});

it("the time left counts pauses that come again, and is not known after the first step, which takes longer", () => {
  let time = 0;
  const clock = stepClock(() => time);
  time += 40; // of a beginning
  clock.skip();
  time += 9;
  expect(clock.step(1, 101)).toBeNaN();
  time += 2;
  expect(clock.step(2, 102)).toBe(200);
  for (let step = 3; step <= 10; step++) {
    time += 2;
    clock.step(step, 110);
  }
  time += 30; // an evaluation after each tenth step
  clock.pause();
  time += 2;
  expect(clock.step(11, 111)).toBeCloseTo(100 * (2 + 30 / 11));
});

/** A stream that keeps what was written, as a terminal of this width or none. */
function screen(columns?: number): { stream: NodeJS.WriteStream; text: () => string } {
  const chunks: string[] = [];
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      chunks.push(String(chunk));
      done();
    },
  });
  const terminal = { isTTY: columns !== undefined, columns, cursorTo: () => true, clearLine: () => true };
  return { stream: Object.assign(stream, terminal) as unknown as NodeJS.WriteStream, text: () => chunks.join("") };
}

it("without a terminal there is a line for the first step, every ten seconds, and for the last", () => {
  const { stream, text } = screen();
  let time = 0;
  const view = progressView(stream, () => time);
  for (const step of [120, 121, 122, 123, 124, 1000]) {
    view.update({ ...progress, step });
    if (step === 120) view.print("saved");
    time += 5;
  }
  view.stop();
  const lines = text().trimEnd().split("\n");
  expect(lines.map((line) => /step \d+|saved/.exec(line)?.[0])).toEqual([
    "step 120",
    "saved",
    "step 122",
    "step 124",
    "step 1000",
  ]);
  expect(text()).not.toContain("\u001b");
});

it("on a terminal the bar is drawn and messages stand above it", () => {
  const { stream, text } = screen(100);
  const view = progressView(stream);
  view.update(progress);
  view.print("saved");
  view.stop();
  expect(text()).toContain("120/1000  loss 7.432");
  expect(text()).toContain("saved\n");
});
