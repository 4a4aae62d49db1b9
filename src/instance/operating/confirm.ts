// Whether precision and recall on a split are what an operating point promised.

import { type Expected, expectedOf, type OperatingPoint } from "./point.ts";

/** Of all boxes together, each class at its threshold; null where there is nothing to measure. */
export type Measured = { precision: number | null; recall: number | null };

/** A measured share beside what was to be expected of so many images; `held`: whether it lies there. */
export type Confirmed = { measured: number; low: number; high: number; held: boolean };

/** Null where there is nothing to compare. */
export type Confirmation = { precision: Confirmed | null; recall: Confirmed | null };

/** Whether a split of so many images came to what the point promised. */
export function confirm(point: OperatingPoint, measured: Measured, images: number): Confirmation {
  const one = (value: number | null, expected: Expected | null): Confirmed | null => {
    if (value === null || expected === null) return null;
    const { low, high } = expectedOf(expected, { images, chosenOn: point.images });
    return { measured: value, low, high, held: value >= low && value <= high };
  };
  return { precision: one(measured.precision, point.precision), recall: one(measured.recall, point.recall) };
}

/** Of both together; null where one is not known. */
export function f1Of({ precision, recall }: Measured): number | null {
  if (precision === null || recall === null) return null;
  return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

/** For people, a sentence for each: "validation promised precision 0.82 to 0.91; on the test split it is 0.86: confirmed". */
export function describeConfirmation(found: Confirmation): string[] {
  return (["precision", "recall"] as const).flatMap((name) => {
    const one = found[name];
    if (!one) return [];
    const promised = `validation promised ${name} ${one.low.toFixed(2)} to ${one.high.toFixed(2)}`;
    return [
      `${promised}; on the test split it is ${one.measured.toFixed(2)}: ${one.held ? "confirmed" : "not confirmed"}`,
    ];
  });
}
