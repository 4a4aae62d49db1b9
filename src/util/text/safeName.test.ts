import { expect, test } from "vitest";
import { differentNames, safeName } from "./safeName.ts";

test("a name leads nowhere and is taken by every system", () => {
  expect(["tree", "palm tree", "Bäume"].map(safeName)).toEqual(["tree", "palm tree", "Bäume"]);
  expect(["../../etc", "a/b\\c", "..", " . ", "", "x\u0000\u001b[2J", "con", "LPT1.txt"].map(safeName)).toEqual([
    "_.._etc",
    "a_b_c",
    "_",
    "_",
    "_",
    "x__[2J",
    "_con",
    "_LPT1.txt",
  ]);
  expect(safeName("😀".repeat(100))).toBe("😀".repeat(80));
});

test("no two names are equal, whatever their capitals", () => {
  expect(differentNames(["car", "Car", "car-2", "bus"])).toEqual(["car", "Car-2", "car-2-2", "bus"]);
});
