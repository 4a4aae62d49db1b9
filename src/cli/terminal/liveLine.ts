// The line at the foot of a terminal that is drawn again in place, and what is written above it.
//
// It hides no cursor, saves no position and leaves line wrap as it is, so that however a program ends there is nothing to
// restore: only the line itself is wiped, at every exit that is not a kill.

import { cellWidth, visible } from "../../util/visible.ts";

export type LiveLine = {
  /** Draw the line, which `draw` makes for a width in cells; at most ten times a second. */
  show(draw: (width: number) => string): void;
  /** Write lines above it. */
  print(text: string): void;
  /** Wipe it; what comes next begins on an empty line. */
  clear(): void;
};

const LEAST_SECONDS = 0.1;
const lines = new Map<NodeJS.WriteStream, LiveLine>();

/** Whether lines can be drawn again in place. */
export function isTerminal(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env.TERM !== "dumb";
}

/** The one live line of a stream; where the stream is no terminal, `show` draws nothing. */
export function liveLine(stream: NodeJS.WriteStream): LiveLine {
  const there = lines.get(stream);
  if (there) return there;
  if (lines.size === 0) process.on("exit", clearLiveLines);
  const line = makeLine(stream);
  lines.set(stream, line);
  return line;
}

/** Wipe all live lines: before an error is written, and at the exit. */
export function clearLiveLines(): void {
  for (const line of lines.values()) line.clear();
}

function makeLine(stream: NodeJS.WriteStream): LiveLine {
  let shown: ((width: number) => string) | undefined;
  let drawn = Number.NEGATIVE_INFINITY;
  // One column stays free: a terminal that is written full wraps with the next character.
  const render = () => {
    if (shown) stream.write(`\r${fit(shown(width(stream)), width(stream))}\u001b[K`);
  };
  const wipe = () => {
    if (shown) stream.write("\r\u001b[K");
  };
  return {
    show: (draw) => {
      if (!isTerminal(stream)) return;
      const first = shown === undefined;
      shown = draw;
      const now = performance.now() / 1000;
      if (!first && now - drawn < LEAST_SECONDS) return;
      drawn = now;
      render();
    },
    print: (text) => {
      wipe();
      stream.write(`${text}\n`);
      render();
    },
    clear: () => {
      wipe();
      shown = undefined;
    },
  };
}

function width(stream: NodeJS.WriteStream): number {
  return Math.max(1, (stream.columns || 80) - 1);
}

function fit(text: string, width: number): string {
  let line = visible(text);
  while (cellWidth(line) > width) line = line.slice(0, -1);
  return line;
}
