// A count of images, batches or bytes as it grows: the bar of everything that is not a training.

import { bar, clockTime, field, type Shown, timeLeft } from "./bar.ts";

export type CountView = {
  /** `what` names what is counted; where it changes, the count began again. */
  update(what: string, done: number, total: number | undefined): void;
  print(text: string): void;
  stop(): void;
};

export type CountOptions = {
  /** How a count reads: "3 of 10 images". */
  amount?: (done: number, total: number | undefined) => string;
  /** Where the output is no terminal: a line for each `what`, one every tenth of it, one every five seconds, or none. */
  plain: "each" | "tenths" | "seconds" | "none";
  /** Seconds. */
  now?: () => number;
};

const EVERY_SECONDS = 5;

/** A count of images, as text. */
export function ofImages(done: number, total: number | undefined): string {
  return `${done} of ${total ?? "?"} images`;
}

/** Draw on a stream. */
export function countView(
  stream: NodeJS.WriteStream,
  { amount = (done, total) => `${done} of ${total ?? "?"}`, plain, now = () => performance.now() / 1000 }: CountOptions,
): CountView {
  let current: string | undefined;
  let began = now();
  let from = 0;
  let written = { at: now(), tenth: -1, what: "" };
  const isDue = (what: string, done: number, total: number | undefined) => {
    const tenth = total ? Math.floor((10 * done) / total) : 0;
    const due = {
      each: what !== written.what,
      tenths: what !== written.what || tenth > written.tenth,
      seconds: done !== total && now() - written.at > EVERY_SECONDS,
      none: false,
    }[plain];
    if (due) written = { at: now(), tenth, what };
    return due;
  };
  let line: string | undefined;
  const view = bar(stream, () => line);
  return {
    update: (what, done, total) => {
      if (what !== current) {
        current = what;
        began = now();
        from = done;
      }
      const pace = (now() - began) / (done - from);
      const left = total === undefined || done === from ? Number.NaN : pace * (total - done);
      const text = amount(done, total);
      line = undefined;
      if (isDue(what, done, total)) line = plain === "each" ? what : [what, text].filter(Boolean).join(": ");
      const shown: Shown = {
        share: total ? done / total : undefined,
        fields: [
          ...(what ? [field(3, what)] : []),
          ...(text ? [field(1, text)] : []),
          ...(clockTime(left) === "-" ? [] : [timeLeft(2, left)]),
        ],
      };
      view.update(shown);
    },
    print: view.print,
    stop: () => {
      current = undefined;
      view.stop();
    },
  };
}
