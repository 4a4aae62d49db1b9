// What limits a run, in sentences, each with the number behind it and what would help.

import { runNumbers } from "./numbers.ts";
import type { Finding, Rule } from "./rule.ts";
import { brokenPromise, fewImages, fewQueries, fewValidationImages, imbalance, smallObjects } from "./rules/data.ts";
import { averageLags, overfitting, rateTooHigh, rateTooLow, stillRising, underfitting } from "./rules/learning.ts";
import { loaderBound, memory, stepBound } from "./rules/speed.ts";

/** All rules, the most telling first. */
export const RULES = {
  "rate too high": rateTooHigh,
  "rate too low": rateTooLow,
  overfitting,
  underfitting,
  "still rising": stillRising,
  "average lags": averageLags,
  "few images": fewImages,
  "few validation images": fewValidationImages,
  "broken promise": brokenPromise,
  "rare classes": imbalance,
  "small objects": smallObjects,
  "few queries": fewQueries,
  "loader-bound": loaderBound,
  "step-bound": stepBound,
  memory,
} satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;

export type Advice = Finding & { rule: RuleName };

/**
 * Advice on a run from the files in its folder, none of which has to be there or whole but its recipe. Throws a UserError where the
 * folder is no run's.
 */
export async function adviseRun(dir: string): Promise<Advice[]> {
  const run = await runNumbers(dir);
  return (Object.keys(RULES) as RuleName[]).flatMap((rule) => {
    const found = RULES[rule](run);
    return found ? [{ rule, ...found }] : [];
  });
}
