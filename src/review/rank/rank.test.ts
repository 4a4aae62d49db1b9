import { describe, expect, test } from "vitest";
import type { Annotation } from "../../data/dataset/sample.ts";
import { encodeRuns, packMask } from "../../instance/masks/runs.ts";
import type { FoundObject, ReviewedPicture } from "../suspect.ts";
import { expectedShares } from "./placement.ts";
import { rankSuspects } from "./rank.ts";

type Box = Annotation["box"];

const label = (box: Box, of = 0, more: Partial<Annotation> = {}): Annotation => {
  const area = (box[2] - box[0]) * (box[3] - box[1]);
  return { id: 1, label: of, categoryId: of + 1, box, area, crowd: false, ...more };
};
const found = (box: Box, score: number, of = 0): FoundObject => ({ label: of, box, score });
const picture = (annotations: Annotation[], detections: FoundObject[], imageId = 1): ReviewedPicture => ({
  ...{ split: "train", imageId, file: `${imageId}.jpg`, annotations },
  found: [...detections].sort((a, b) => b.score - a.score),
});

/** Labels with detections right on them, so that it is known what is to be expected. */
const usual = Array.from({ length: 40 }, (_, i) => {
  const box: Box = [10, 10, 30, 40];
  return picture([label(box)], [found([11, 10, 30, 40], 0.9)], 100 + i);
});
const ranked = (one: ReviewedPicture) => rankSuspects([...usual, one]).filter((suspect) => suspect.picture === one);

test("labels that are found where they are, as what they are, are not suspect", () => {
  expect(rankSuspects(usual)).toEqual([]);
});

describe("missing", () => {
  test("what is found with no label near is suspect as sure as it is found, once an object", () => {
    const one = picture([label([10, 10, 30, 40])], [found([11, 10, 30, 40], 0.9), found([60, 60, 80, 90], 0.7), found([61, 60, 80, 90], 0.4, 1)]); // biome-ignore format: one line
    expect(ranked(one)).toEqual([{ kind: "missing", score: 0.7, picture: one, found: found([60, 60, 80, 90], 0.7) }]);
  });

  test("a label of any class that overlaps makes it less suspect, and one that overlaps enough not at all", () => {
    const [near, far] = [picture([label([60, 60, 80, 90], 3)], [found([60, 85, 80, 115], 0.8)]), picture([label([60, 60, 80, 90], 3)], [found([60, 70, 80, 100], 0.8)])]; // biome-ignore format: one line
    const [suspect] = ranked(near!).filter(({ kind }) => kind === "missing");
    expect(suspect!.score).toBeCloseTo(0.8 * (1 - 5 / 55), 9);
    expect(ranked(far!).filter(({ kind }) => kind === "missing")).toEqual([]);
  });

  test("what lies in a crowd has no label of its own", () => {
    const crowd = label([50, 50, 120, 120], 0, { crowd: true });
    expect(ranked(picture([crowd], [found([60, 60, 80, 90], 0.9), found([60, 60, 80, 90], 0.8, 1)]))).toEqual([]);
  });
});

describe("wrong class", () => {
  test("is as suspect as the other class is surer than its own", () => {
    const box: Box = [60, 60, 80, 90];
    const one = picture([label(box)], [found(box, 0.8, 2), found(box, 0.3)]);
    expect(ranked(one)).toMatchObject([{ kind: "class", label: 0, found: { label: 2 } }]);
    expect(ranked(one)[0]!.score).toBeCloseTo(0.5, 9);
    expect(ranked(picture([label(box)], [found(box, 0.4, 2), found(box, 0.8)]))).toEqual([]);
  });

  test("is not where the other class has a label of its own there, nor for a class that the detector does not know", () => {
    const box: Box = [60, 60, 80, 90];
    const beside = picture([label([60, 60, 80, 80]), label(box, 2)], [found(box, 0.9, 2), found([60, 60, 80, 80], 0.6)]); // biome-ignore format: one line
    expect(ranked(beside).map(({ kind }) => kind)).not.toContain("class");
    const strange = picture([label(box, 7)], [found(box, 0.9, 2)]);
    expect(rankSuspects([strange], { known: (of) => of !== 7 })).toEqual([]);
    expect(rankSuspects([strange]).map(({ kind }) => kind)).toEqual(["class"]);
  });
});

describe("badly placed", () => {
  test("is what has much less in common with its object than others of its kind", () => {
    const one = picture([label([60, 60, 80, 90])], [found([68, 66, 90, 92], 0.9)]);
    const [suspect] = ranked(one);
    expect(suspect).toMatchObject({ kind: "place", label: 0, found: { box: [68, 66, 90, 92] } });
    expect(suspect!.score).toBeGreaterThan(0.7);
    expect(suspect!.score).toBeLessThanOrEqual(0.9);
  });

  test("says nothing of a label whose object another detection is on, or of a mask that only a box was found for", () => {
    const other = picture([label([60, 60, 80, 90]), label([68, 66, 90, 92])], [found([68, 66, 90, 92], 0.9), found([60, 60, 80, 90], 0.8)]); // biome-ignore format: one line
    expect(ranked(other)).toEqual([]);
    const masked = label([60, 60, 80, 90], 0, { mask: { polygons: [[60, 60, 80, 60, 80, 90]] } });
    expect(ranked(picture([masked], [found([68, 66, 90, 92], 0.9)]))).toEqual([]);
  });

  test("what is expected follows side and confidence, and where few are alike the mean of all", () => {
    const many = Array.from({ length: 1000 }, () => ({ side: 8, score: 0.3, share: 0.5 }));
    const expected = expectedShares([...many, ...many.map(() => ({ side: 100, score: 0.9, share: 0.9 }))]);
    expect(expected({ side: 8, score: 0.3 })).toBeCloseTo(0.5, 2);
    expect(expected({ side: 100, score: 0.9 })).toBeCloseTo(0.9, 2);
    expect(expected({ side: 30, score: 0.6 })).toBeCloseTo(0.7, 9);
  });
});

describe("double", () => {
  const [box, again]: [Box, Box] = [[60, 60, 80, 90], [61, 60, 80, 91]]; // biome-ignore format: one line

  test("is a second label where one object is found; the less sure of both would go", () => {
    const one = picture([label(again), label(box)], [found(box, 0.9)]);
    const suspects = ranked(one);
    expect(suspects).toMatchObject([{ kind: "double", label: 0, other: 1 }]);
    expect(suspects[0]!.score).toBeCloseTo((19 * 30) / (20 * 31 - 1 + 0), 1);
  });

  test("is less suspect the surer a second object is found", () => {
    const two = picture([label(box), label(again)], [found(box, 0.9), found(again, 0.8)]);
    expect(ranked(two).map(({ kind, score }) => [kind, score < 0.2])).toEqual([["double", true]]);
  });

  test("of another class is one, too, and is not said to be of the wrong class as well", () => {
    const one = picture([label(box), label(again, 4)], [found(box, 0.9)]);
    expect(ranked(one)).toMatchObject([{ kind: "double", label: 1, other: 0 }]);
  });
});

test("masks are compared where both have one: two objects in one box are not one", () => {
  const size = [40, 40] as const;
  const half = (upper: boolean) => packMask(encodeRuns(Array.from({ length: 1600 }, (_, i) => Number((i % 40 > Math.floor(i / 40)) === upper)), size)); // biome-ignore format: one line
  const box: Box = [0, 0, 40, 40];
  const labels = [label(box, 0, { mask: half(true) }), label(box, 0, { mask: half(false) })];
  const both = [{ ...found(box, 0.9), mask: half(true) }, { ...found(box, 0.8), mask: half(false) }]; // biome-ignore format: one line
  expect(rankSuspects([picture(labels, both)])).toEqual([]);
  const [missing] = rankSuspects([picture(labels.slice(0, 1), both)]);
  expect(missing).toMatchObject({ kind: "missing", score: 0.8 });
});
