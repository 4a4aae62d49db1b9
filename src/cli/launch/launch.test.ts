// What a launch makes of its words and of the ends of its workers.

import { expect, test } from "vitest";
import { codeOf, trainingWords } from "./launch.ts";

test("workers are given all words but those of the launch itself", () => {
  const words = ["--nproc", "2", "--recipe", "nproc", "--restarts=0", "--set", "name=--nproc", "--nproc=3", "--resume"];
  expect(trainingWords(words)).toEqual(["--recipe", "nproc", "--set", "name=--nproc", "--resume"]);
});

test.each([
  [[0, 0], false, 0],
  [[75, null], false, 75],
  [[null, null], false, 75],
  [[75, 2], false, 2],
  [[2, 75], false, 2],
  [[75, 1], false, 1],
  [[3, 3], false, 3],
  [[3, 75], false, 3],
  [[75, null], true, 3],
  [[0, 75], false, 75],
])("ends %j, stopped: %s: exit code %i", (codes, stopped, code) => {
  expect(codeOf({ codes, stopped })).toBe(code);
});
