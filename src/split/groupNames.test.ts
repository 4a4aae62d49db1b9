import { expect, test } from "vitest";
import { UserError } from "../util/errors.ts";
import { groupsOf } from "./groupNames.ts";

test("copies that Roboflow made of a picture are one group, and other files one each", () => {
  const hash = (digit: string) => digit.repeat(32);
  const files = [`a_jpg.rf.${hash("1")}.jpg`, `a_jpg.rf.${hash("b")}.jpg`, `b_jpg.rf.${hash("1")}.jpg`, "c.rf.jpg"];
  const { keys } = groupsOf(files, null);
  expect(keys[0]).toBe(keys[1]);
  expect(new Set(keys).size).toBe(3);
});

test("a pattern names the group in brackets; a file that it does not find is alone", () => {
  const { keys, alone } = groupsOf(["clip1_01.png", "day/clip1_02.png", "clip2_01.png", "other.png"], "(clip\\d+)_");
  expect(keys[0]).toBe(keys[1]);
  expect(new Set(keys).size).toBe(3);
  expect(alone).toBe(1);
});

test.each([
  ["clip\\d+", /no part in brackets/],
  ["(clip", /no regular expression/],
  ["(patient\\d+)", /finds no group in any file name.*clip1\.png/],
])("the pattern %s is refused", (pattern, message) => {
  expect(() => groupsOf(["clip1.png"], pattern)).toThrow(UserError);
  expect(() => groupsOf(["clip1.png"], pattern)).toThrow(message);
});
