import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { Detection, GroundTruth } from "../boxMatching.ts";
import { tideErrors } from "./tide.ts";

type Row = [number, number, number, number];
type Case = {
  maxDets: number;
  truths: [imageId: number, categoryId: number, ...bbox: Row, isCrowd: number][];
  detections: [imageId: number, categoryId: number, ...bbox: Row, score: number][];
  /** APs in percent. */
  expected: { ap: number; kinds: [count: number, cost: number][]; falsePositives: number; falseNegatives: number };
};

/** Cases and what tidecv says of them; made by scripts/fixtures/make-tide-fixtures.py. TIDE_CASES names another file of them. */
const FILE = process.env.TIDE_CASES ?? join(import.meta.dirname, "../../../tests/fixtures/tide/cases.json.gz");
const CASES = JSON.parse(gunzipSync(readFileSync(FILE)).toString()) as Case[];

function errorsOf({ truths, detections, maxDets }: Case) {
  return tideErrors({
    groundTruths: truths.map(([imageId, categoryId, x, y, width, height, isCrowd]): GroundTruth => {
      return { imageId, categoryId, bbox: [x, y, width, height], isCrowd: isCrowd === 1 };
    }),
    detections: detections.map(([imageId, categoryId, x, y, width, height, score]): Detection => {
      return { imageId, categoryId, bbox: [x, y, width, height], score };
    }),
    maxDets,
  })!;
}

test("counts and costs of all kinds of errors are those of tidecv", () => {
  expect(CASES.length).toBeGreaterThanOrEqual(50);
  const kinds = new Set<string>();
  for (const [i, one] of CASES.entries()) {
    const errors = errorsOf(one);
    const { ap, kinds: costs, falsePositives, falseNegatives } = one.expected;
    expect(
      errors.kinds.map(({ count }) => count),
      `case ${i}`,
    ).toEqual(costs.map(([count]) => count));
    const ours = [errors.ap, ...errors.kinds.map(({ cost }) => cost), errors.falsePositives, errors.falseNegatives];
    for (const [k, value] of [ap, ...costs.map(([, cost]) => cost), falsePositives, falseNegatives].entries())
      expect(Math.abs(100 * ours[k]! - value), `case ${i}, figure ${k}: ${100 * ours[k]!}, ${value}`).toBeLessThan(
        1e-6,
      );
    for (const { kind, cost } of errors.kinds) if (cost > 0) kinds.add(kind);
  }
  expect(kinds.size).toBe(6);
});

test("perfect detections have no errors, and without anything there is nothing to say", () => {
  const box = { imageId: 1, categoryId: 1, bbox: [10, 10, 40, 40] as const };
  const perfect = tideErrors({ groundTruths: [box], detections: [{ ...box, score: 0.3 }], maxDets: 100 })!;
  expect(perfect).toMatchObject({ ap: 1, falsePositives: 0, falseNegatives: 0 });
  expect(perfect.kinds.every(({ count, cost }) => count === 0 && cost === 0)).toBe(true);
  expect(tideErrors({ groundTruths: [], detections: [], maxDets: 100 })).toBeNull();
  const missed = tideErrors({ groundTruths: [box], detections: [], maxDets: 100 })!;
  expect(missed).toMatchObject({ ap: 0 });
  expect(missed.kinds.find(({ kind }) => kind === "missed")).toMatchObject({ count: 1 });
});
