// The errors of an evaluation by kind, as evaluation.json has them.

import { isObject } from "../../util/untrusted/json.ts";

/** Kinds of errors, in TIDE's order; "both": class and place are wrong. */
export const TIDE_KINDS = ["classification", "localisation", "both", "duplicate", "background", "missed"] as const;
export type TideKind = (typeof TIDE_KINDS)[number];

/** APs are those at IoU 0.5, from 0 to 1. `cost`: what AP would gain if there were no errors of the kind. */
export type TideErrors = {
  ap: number;
  kinds: { kind: TideKind; count: number; cost: number }[];
  /** What AP would gain if nothing wrong was detected, and if nothing was missed. */
  falsePositives: number;
  falseNegatives: number;
};

/** Whether a record has errors that a page can show; older ones have none. */
export function hasTideErrors(errors: unknown): errors is TideErrors {
  const isNumber = (value: unknown) => typeof value === "number";
  return (
    isObject(errors) &&
    [errors.ap, errors.falsePositives, errors.falseNegatives].every(isNumber) &&
    Array.isArray(errors.kinds) &&
    errors.kinds.every(
      (one: unknown) =>
        isObject(one) && TIDE_KINDS.some((kind) => kind === one.kind) && isNumber(one.count) && isNumber(one.cost),
    )
  );
}
