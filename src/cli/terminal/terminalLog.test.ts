import { expect, test } from "vitest";
import { type Level, terminalLog } from "./terminalLog.ts";

function linesOf(options: { level?: Level; colour?: boolean }): string[] {
  const lines: string[] = [];
  const log = terminalLog((text) => lines.push(text), options);
  log.debug("rows 3 to 7 were sent");
  log.info("Device: CPU\nRun: x");
  log.warn("the disk is full");
  return lines;
}

test("facts are plain sentences, warnings say that they are, and what is for experts is left out", () => {
  expect(linesOf({})).toEqual(["Device: CPU\nRun: x", "Warning: the disk is full"]);
});

test("a level shows more or less", () => {
  expect(linesOf({ level: "debug" })).toHaveLength(3);
  expect(linesOf({ level: "warn" })).toEqual(["Warning: the disk is full"]);
  expect(linesOf({ level: "error" })).toEqual([]);
});

test("colours come only where they were asked for", () => {
  const mark = "\u001b[";
  expect(linesOf({}).join()).not.toContain(mark);
  expect(linesOf({ colour: true }).at(-1)).toContain(`${mark}33mWarning: the disk is full`);
});
