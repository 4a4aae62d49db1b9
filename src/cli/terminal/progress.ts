// What a running training looks like: a bar that fits the terminal, or plain lines where the output is no terminal.

import { bar, barText, field, plainFields, type Shown, type ShownField, timeLeft } from "./bar.ts";

/** Where a run is. Steps and epochs count from 1 here, as people do. */
export type ShownProgress = {
  epoch: number;
  epochs: number;
  step: number;
  steps: number;
  loss: number;
  learningRate: number;
  imagesPerSecond: number;
  /** Share of the time spent waiting for images, 0 to 1. */
  dataWait: number;
  memoryBytes: number;
  secondsLeft: number;
  /** The main metric of the last evaluation, once there was one. */
  ap?: number | null;
};

/** One plain line for a step. */
export function plainLine(progress: ShownProgress): string {
  return plainFields(fields(progress));
}

/** The bar's line, at most `width` characters: what matters least is left out first. */
export function barLine(progress: ShownProgress, width: number): string {
  return barText(shown(progress), width);
}

function shown(progress: ShownProgress): Shown {
  return { share: Math.min(1, progress.step / Math.max(1, progress.steps)), fields: fields(progress) };
}

/** The fields in the order they are shown. Rank 1 is left out last. */
function fields(p: ShownProgress): ShownField[] {
  return [
    field(2, `epoch ${p.epoch}/${p.epochs}`, `e${p.epoch}/${p.epochs}`),
    field(1, `step ${p.step}/${p.steps}`, `${p.step}/${p.steps}`),
    field(1, `loss ${significant(p.loss)}`),
    ...(typeof p.ap === "number" ? [field(4, `AP ${p.ap.toFixed(3)}`)] : []),
    field(8, `lr ${p.learningRate.toExponential(2)}`),
    field(5, `${significant(p.imagesPerSecond, 3)} img/s`),
    field(6, `wait ${Math.round(p.dataWait * 100)}%`),
    field(7, bytes(p.memoryBytes)),
    timeLeft(3, p.secondsLeft),
  ];
}

function significant(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return "-";
  return value >= 10 ** digits ? value.toFixed(0) : value.toPrecision(digits);
}

function bytes(value: number): string {
  return value >= 1e9 ? `${(value / 1e9).toFixed(1)} GB` : `${Math.round(value / 1e6)} MB`;
}

/**
 * Seconds left from when each of the last steps ended. `skip` leaves out a time that does not come again, such as before the first
 * step; `pause` counts one that does, such as an evaluation.
 */
export function stepClock(now: () => number = () => performance.now() / 1000) {
  const times: number[] = [];
  let last = now();
  let [steps, paused] = [0, 0];
  return {
    /** Seconds until step `end`, at the median pace of the last steps and with as much of pauses; NaN after the first one, which is slower. */
    step(step: number, end: number): number {
      const time = now();
      times.push(time - last);
      last = time;
      steps++;
      if (times.length > 51) times.shift();
      if (steps === 1) return Number.NaN;
      const sorted = [...times].sort((a, b) => a - b);
      return (sorted[(sorted.length - 1) >> 1]! + paused / steps) * (end - step);
    },
    skip() {
      last = now();
    },
    pause() {
      const time = now();
      paused += time - last;
      last = time;
    },
  };
}

export type ProgressView = {
  update(progress: ShownProgress): void;
  /** A message on lines of its own, above the bar. */
  print(text: string): void;
  stop(): void;
};

const PLAIN_LINE_EVERY_SECONDS = 10;

/**
 * Draw on a stream: a bar where it is a terminal; where it is not, a plain line for the first and the last step and one
 * every ten seconds between them. `now`: seconds.
 */
export function progressView(
  stream: NodeJS.WriteStream,
  now: () => number = () => performance.now() / 1000,
): ProgressView {
  let due = Number.NEGATIVE_INFINITY;
  let last: ShownProgress;
  const view = bar(stream, ({ fields }) => {
    if (now() < due && last.step < last.steps) return undefined;
    due = now() + PLAIN_LINE_EVERY_SECONDS;
    return plainFields(fields);
  });
  return {
    update: (progress) => {
      last = progress;
      view.update(shown(progress));
    },
    print: view.print,
    stop: view.stop,
  };
}
