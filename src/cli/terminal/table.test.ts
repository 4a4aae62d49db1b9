import { expect, test } from "vitest";
import { factTable, scoreText, table } from "./table.ts";

test("columns are aligned: names left, numbers right, in cells of the terminal", () => {
  expect(table([["class", "AP", "boxes"], ["tree", "0.1234", 1200], ["樫の木", "-", 7], [], ["oak"]])).toEqual([
    "class       AP  boxes",
    "tree    0.1234   1200",
    "樫の木       -      7",
    "",
    "oak",
  ]);
});

test("sides, gaps and least widths are the caller's", () => {
  expect(table([["a", "b"]], { align: ["left"], gap: 1, least: [3] })).toEqual(["a   b"]);
  expect(factTable([["model", "nano"], ["in", 3]])).toEqual(["model  nano", "in     3"]); // biome-ignore format: one line
});

test("a name never reaches the terminal as a command to it, and takes the room that it is shown in", () => {
  const lines = table([
    ["\u001b[2J\u202eoak", 1],
    ["tree\nash", 20],
  ]);
  expect(lines).toEqual(["\\x1b[2J\\u202eoak   1", "tree\\nash         20"]);
});

test("a score that could not be measured is a dash", () => {
  expect([scoreText(0.12345), scoreText(-1)]).toEqual(["0.1235", "-"]);
});
