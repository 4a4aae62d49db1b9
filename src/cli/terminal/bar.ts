// What takes a while, on a terminal as a bar with fields beside it, elsewhere as a plain line now and then.

import { cellWidth } from "../../util/visible.ts";
import { isTerminal, liveLine } from "./liveLine.ts";

/** A field beside a bar. Rank 1 is left out last, the highest rank first. */
export type ShownField = { rank: number; long: string; short: string };

export type Shown = {
  /** Share that is done, 0 to 1; undefined where it is not known, then there is no bar. */
  share: number | undefined;
  fields: readonly ShownField[];
};

export type Bar = {
  update(shown: Shown): void;
  /** Lines of their own, above the bar. */
  print(text: string): void;
  stop(): void;
};

const LEAST_CELLS = 10;
const MOST_CELLS = 30;

export function field(rank: number, long: string, short = long): ShownField {
  return { rank, long, short };
}

/** All fields, on one plain line. */
export function plainFields(fields: readonly ShownField[]): string {
  return fields.map(({ long }) => long).join("  ");
}

/** A bar and its fields in at most `width` cells: what matters least is left out first, and the bar itself last but one. */
export function barText({ share, fields }: Shown, width: number): string {
  const least = Math.max(...fields.map(({ rank }) => rank));
  for (const cells of share === undefined ? [0] : [LEAST_CELLS, 0])
    for (let rank = least; rank > 0; rank--)
      for (const form of ["long", "short"] as const) {
        const text = fields
          .filter((one) => one.rank <= rank)
          .map((one) => one[form])
          .join("  ");
        const room = width - cellWidth(text) - (cells > 0 ? 2 : 0);
        if (room < cells) continue;
        return cells > 0 ? `${drawn(share!, Math.min(room, MOST_CELLS))}  ${text}` : text;
      }
  return share === undefined ? "" : `${Math.floor(share * 100)}%`.slice(0, Math.max(0, width));
}

function drawn(share: number, cells: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * cells);
  return "█".repeat(full) + "░".repeat(cells - full);
}

/** Draw on a stream. Where it is no terminal, `plain` gives a line for what is shown, or undefined for none. */
export function bar(stream: NodeJS.WriteStream, plain: (shown: Shown) => string | undefined): Bar {
  const line = liveLine(stream);
  return {
    update: (shown) => {
      if (isTerminal(stream)) line.show((width) => barText(shown, width));
      else {
        const text = plain(shown);
        if (text !== undefined) line.print(text);
      }
    },
    print: line.print,
    stop: line.clear,
  };
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

/** What is left, as a field: "14s left". */
export function timeLeft(rank: number, seconds: number): ShownField {
  return field(rank, `${clockTime(seconds)} left`);
}
