// The learning rates of a run before it begins, as a plot of text.

import type { ScheduleOutline } from "../../train/stages/scheduleOutline.ts";
import { millions } from "../../train/stages/stages.ts";

const WIDTH = 80;
const LABEL = 7; // "  1.00 "
const COLUMNS = WIDTH - LABEL - 2;
const ROWS = 9;

/** Lines of at most 80 characters: epochs from left to right, the factor upwards, stages below where they begin. */
export function plotSchedule({ points, stages, stepsPerEpoch, totalSteps }: ScheduleOutline): string {
  const length = totalSteps / stepsPerEpoch; // in epochs
  const columnOf = (epoch: number) => Math.min(COLUMNS - 1, Math.floor((epoch / length) * COLUMNS));
  const most = Math.max(...points.map(({ factor }) => factor)) || 1;
  const grid = Array.from({ length: ROWS }, () => Array<string>(COLUMNS).fill(" "));
  const reached = stages.filter(({ reached }) => reached);
  for (const { fromEpoch } of reached.slice(1)) for (const row of grid) row[columnOf(fromEpoch)] = "│";
  for (let column = 0; column < COLUMNS; column++) {
    const { factor } = points[Math.floor((column / COLUMNS) * points.length)]!;
    grid[Math.round((1 - factor / most) * (ROWS - 1))]![column] = "•";
  }
  const axis = Array<string>(COLUMNS).fill("─");
  for (const { fromEpoch } of reached.slice(1)) axis[columnOf(fromEpoch)] = "┴";
  const epochs = Array<string>(COLUMNS).fill(" ");
  for (const epoch of ticks(length)) write(epochs, columnOf(epoch), String(epoch));
  const numbers = Array<string>(COLUMNS).fill(" ");
  for (const [i, { fromEpoch }] of reached.entries()) write(numbers, columnOf(fromEpoch), String(i + 1));
  return [
    ...grid.map((row, i) => {
      const label = (most * (1 - i / (ROWS - 1))).toFixed(2);
      return `${(i % 2 === 0 ? label : "").padStart(LABEL - 1)} ${i % 2 === 0 ? "┤" : "│"}${row.join("")}`;
    }),
    `${" ".repeat(LABEL)}└${axis.join("")}`,
    `${"epoch".padEnd(LABEL + 1)}${epochs.join("")}`,
    ...(stages.length > 1 ? [`${"stage".padEnd(LABEL + 1)}${numbers.join("")}`] : []),
    ...(stages.length > 1 || stages[0]!.frozen > 0 ? stages.flatMap(legend) : []),
  ]
    .map((line) => line.trimEnd())
    .join("\n");
}

/** What trains in a stage; what does not fit on the line goes on in the next. */
function legend(stage: ScheduleOutline["stages"][number], i: number): string[] {
  const { fromEpoch, lrFactor, matches, trainable, frozen, reached } = stage;
  const rate = lrFactor === 1 ? "" : `, rates x ${lrFactor}`;
  const counts = frozen === 0 ? millions(trainable) : `${millions(trainable)} of ${millions(trainable + frozen)}`;
  const lines = [`stage ${i + 1}, from epoch ${fromEpoch}${reached ? "" : " (after the end)"}${rate}: ${counts}:`];
  for (const [j, { pattern }] of matches.entries()) {
    const word = `${pattern}${j < matches.length - 1 ? "," : ""}`;
    if (`${lines.at(-1)} ${word}`.length <= WIDTH) lines.push(`${lines.pop()} ${word}`);
    else lines.push(clip(`    ${word}`));
  }
  return lines;
}

/** Round epochs, at most eight of them. */
function ticks(length: number): number[] {
  const [least] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((step) => length / step <= 8);
  const step = least ?? Math.ceil(length / 8);
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => i * step);
}

/** Put a text into a row of characters where there is room for it; else leave the row as it is. */
function write(row: string[], column: number, text: string): void {
  const start = Math.min(column, row.length - text.length);
  const taken = row.slice(Math.max(0, start - 1), start + text.length + 1).some((character) => character !== " ");
  if (!taken) row.splice(start, text.length, ...text);
}

function clip(line: string): string {
  return line.length <= WIDTH ? line : `${line.slice(0, WIDTH - 3)}...`;
}
