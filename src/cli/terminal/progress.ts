// What a running training looks like: a bar that fits the terminal, or plain lines where the output is no terminal.

import { SingleBar } from "cli-progress";

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
  return fields(progress)
    .map(({ long }) => long)
    .join("  ");
}

/** The bar's line, at most `width` characters: what matters least is left out first. */
export function barLine(progress: ShownProgress, width: number): string {
  const all = fields(progress);
  const least = Math.max(...all.map(({ rank }) => rank));
  const share = Math.min(1, progress.step / Math.max(1, progress.steps));
  for (let rank = least; rank > 0; rank--) {
    const shown = all.filter((field) => field.rank <= rank);
    for (const form of ["long", "short"] as const) {
      const text = shown.map((field) => field[form]).join("  ");
      const room = width - text.length - 2;
      if (room >= 8) return `${bar(share, Math.min(room, 30))}  ${text}`;
      if (room >= -2) return text;
    }
  }
  return `${Math.floor(share * 100)}%`.slice(0, Math.max(0, width));
}

function bar(share: number, width: number): string {
  const full = Math.round(share * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

/** The fields in the order they are shown. Rank 1 is left out last. */
function fields(p: ShownProgress): { rank: number; long: string; short: string }[] {
  const field = (rank: number, long: string, short = long) => ({ rank, long, short });
  return [
    field(2, `epoch ${p.epoch}/${p.epochs}`, `e${p.epoch}/${p.epochs}`),
    field(1, `step ${p.step}/${p.steps}`, `${p.step}/${p.steps}`),
    field(1, `loss ${significant(p.loss)}`),
    ...(typeof p.ap === "number" ? [field(4, `AP ${p.ap.toFixed(3)}`)] : []),
    field(8, `lr ${p.learningRate.toExponential(2)}`),
    field(5, `${significant(p.imagesPerSecond, 3)} img/s`),
    field(6, `wait ${Math.round(p.dataWait * 100)}%`),
    field(7, bytes(p.memoryBytes)),
    field(3, `${clockTime(p.secondsLeft)} left`, clockTime(p.secondsLeft)),
  ];
}

function significant(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return "-";
  return value >= 10 ** digits ? value.toFixed(0) : value.toPrecision(digits);
}

function bytes(value: number): string {
  return value >= 1e9 ? `${(value / 1e9).toFixed(1)} GB` : `${Math.round(value / 1e6)} MB`;
}

/** "42s", "12m 05s", "3h 04m", "2d 03h"; "-" where it is not known. */
export function clockTime(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "-";
  const s = Math.round(seconds);
  const pad = (n: number) => String(Math.floor(n)).padStart(2, "0");
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${pad(s % 60)}s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h ${pad((s % 3600) / 60)}m`;
  return `${Math.floor(s / 86_400)}d ${pad((s % 86_400) / 3600)}h`;
}

/** Seconds left from when each of the last steps ended; a pause (an evaluation) is told with `skip`. */
export function stepClock(now: () => number = () => performance.now() / 1000) {
  const times: number[] = [];
  let last = now();
  return {
    /** Seconds until `steps`, at the median pace of the last steps. */
    step(step: number, steps: number): number {
      const time = now();
      times.push(time - last);
      last = time;
      if (times.length > 51) times.shift();
      const sorted = [...times].sort((a, b) => a - b);
      return sorted[Math.floor(sorted.length / 2)]! * (steps - step);
    },
    skip() {
      last = now();
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
  const print = (text: string) => void stream.write(`${text}\n`);
  if (!stream.isTTY) {
    let due = Number.NEGATIVE_INFINITY;
    const update = (progress: ShownProgress) => {
      if (now() < due && progress.step < progress.steps) return;
      print(plainLine(progress));
      due = now() + PLAIN_LINE_EVERY_SECONDS;
    };
    return { update, print, stop: () => {} };
  }
  let shown: SingleBar | undefined;
  const draw = (progress: ShownProgress) => {
    if (!shown) {
      shown = new SingleBar({
        stream,
        fps: 5,
        hideCursor: true,
        gracefulExit: false, // signals belong to the command
        linewrap: null,
        clearOnComplete: true,
        format: (_options, _params, payload: { progress: ShownProgress }) =>
          barLine(payload.progress, (stream.columns || 80) - 1),
      });
      shown.start(progress.steps, progress.step, { progress });
    }
    shown.update(progress.step, { progress });
  };
  return {
    update: draw,
    print: (text) => {
      if (shown) {
        stream.cursorTo(0);
        stream.clearLine(0);
      }
      print(text);
      shown?.render();
    },
    stop: () => {
      shown?.stop();
      shown = undefined;
    },
  };
}
