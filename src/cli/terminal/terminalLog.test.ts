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

test("good news stand out where there are colours, and nothing in them reaches the terminal as a command", () => {
  const lines: string[] = [];
  const log = (colour: boolean) => terminalLog((text) => lines.push(text), { colour });
  log(true).info("Done, best AP 0.5.", "best AP 0.5");
  log(false).info("Done, best AP 0.5.", "best AP 0.5");
  log(true).info("best \u001b[2J", "best \u001b[2J");
  expect(lines[0]).toContain("Done, \u001b[32mbest AP 0.5\u001b[39m.");
  expect(lines[1]).toBe("Done, best AP 0.5.");
  expect(lines[2]).not.toContain("\u001b[2J");
});
