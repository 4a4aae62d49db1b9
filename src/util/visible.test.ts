import { expect, test } from "vitest";
import { cellWidth, visible } from "./visible.ts";

test("characters that move the cursor, ring or turn the direction of writing are written out", () => {
  expect(visible("a\u001b[2Jb\u0007\r\u009b\u007f")).toBe("a\\x1b[2Jb\\x07\\x0d\\x9b\\x7f");
  expect(visible("x\u202ey\u2066z\u200f\u061c\u2028")).toBe("x\\u202ey\\u2066z\\u200f\\u061c\\u2028");
  expect(visible("a\tb\nc")).toBe("a\\x09b\\nc");
  expect(visible("a\tb\nc\u001b", { lines: true })).toBe("a\tb\nc\\x1b");
});

test("names in any script stay as they are", () => {
  for (const name of ["Eiche", "дуб", "樫の木", "شجرة", "👩\u200d🌾", "a\u0301"]) expect(visible(name)).toBe(name);
});

test("a width is in cells of the terminal", () => {
  expect(["tree", "дуб", "樫の木", "a\u0301", "🌳", ""].map(cellWidth)).toEqual([4, 3, 6, 1, 2, 0]);
});
