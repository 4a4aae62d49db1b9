import { expect, test } from "vitest";
import { mostConfused } from "./mostConfused.ts";

test("few classes are shown as they are", () => {
  const confusion = { classes: ["a", "b"], counts: [[3, 1, 0], [0, 2, 1], [1, 0, 0]] }; // biome-ignore format: a matrix
  expect(mostConfused(confusion)).toEqual(confusion);
});

test("of many, those with the most mistakes, in their own order, and the background", () => {
  const classes = Array.from({ length: 40 }, (_, i) => `class ${i}`);
  const counts = Array.from({ length: 41 }, (_, i) =>
    Array.from({ length: 41 }, (_, j): number => (i === j ? 100 : 0)),
  );
  const [mistaken, missed, invented] = [35, 37, 39];
  counts[mistaken]![3] = 5;
  counts[missed]![40] = 4;
  counts[40]![invented] = 6;
  const { classes: shown, counts: left } = mostConfused({ classes, counts });
  expect(shown).toHaveLength(30);
  expect(shown).toEqual(expect.arrayContaining(["class 3", "class 35", "class 37", "class 39"]));
  expect(shown).toEqual([...shown].sort((a, b) => classes.indexOf(a) - classes.indexOf(b)));
  expect(left[shown.indexOf("class 35")]![shown.indexOf("class 3")]).toBe(5);
  expect(left[30]![shown.indexOf("class 39")]).toBe(6);
  expect(left[shown.indexOf("class 37")]![30]).toBe(4);
});
