// An operating point in sentences.

import { describeExpected, describeRule, LEAST_BOXES, type OperatingPoint } from "./point.ts";

/** Classes that are named one by one. */
const MOST_NAMES = 12;

/** Where detections count and what to expect there, such as "Detections count from a score of 0.31 (the best F1 ...): ..." */
export function describePoint(point: OperatingPoint): string {
  const { classes, threshold, images } = point;
  const own = ownThresholds(point);
  const few = classes.filter((one) => one.threshold === null && one.boxes < LEAST_BOXES);
  const unreached = classes.filter((one) => one.threshold === null && one.boxes >= LEAST_BOXES);
  const expected = describeExpected(point);
  const parts = [
    ...(own.length > 0 ? [`of their own: ${listed(own)}`] : []),
    ...(few.length > 0
      ? [`with fewer than ${LEAST_BOXES} boxes to choose by: ${listed(few.map(({ name }) => name))}`]
      : []),
    ...(unreached.length > 0 ? [`without a score that reaches it: ${listed(unreached.map(({ name }) => name))}`] : []),
    ...(expected === "" ? [] : [`of ${images} other images expect ${expected} (95 % intervals)`]),
  ];
  return [`Detections count from a score of ${threshold.toFixed(2)} (${describeRule(point)})`, ...parts].join("; ");
}

/** The thresholds of classes that differ from the common one, such as "crown 0.28". */
function ownThresholds({ classes, threshold }: OperatingPoint): string[] {
  return classes.flatMap((one) =>
    one.threshold === null || one.threshold === threshold ? [] : [`${one.name} ${one.threshold.toFixed(2)}`],
  );
}

/** From which scores detections count, such as "score >= 0.31; crown 0.28, shrub 0.35". */
export function describeScores(point: OperatingPoint): string {
  const own = ownThresholds(point);
  return `score >= ${point.threshold.toFixed(2)}${own.length > 0 ? `; ${listed(own)}` : ""}`;
}

function listed(names: readonly string[]): string {
  const rest = names.length - MOST_NAMES;
  return rest > 0 ? `${names.slice(0, MOST_NAMES).join(", ")} and ${rest} more` : names.join(", ");
}
