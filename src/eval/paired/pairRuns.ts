// The best evaluations of two runs, compared image by image.

import { readMatches } from "../../run/records/matches.ts";
import type { RunContents } from "../../run/runFolder.ts";
import { type PairedDifference, pairedDifference } from "./pairedDifference.ts";

/** Of the samples that the interval is made of: the same two runs always get the same ones. */
const SEED = 7;

type Evaluated = Pick<RunContents, "dir" | "best">;

/** How sure the difference of their metrics is, or why that cannot be told. */
export async function pairRuns(a: Evaluated, b: Evaluated): Promise<PairedDifference> {
  const sides = [];
  for (const { dir, best } of [a, b]) {
    const matches = best && (await readMatches(dir, best.step));
    if (!matches) return { why: `${dir} has no results by image of its best evaluation, as runs of older versions` };
    sides.push(matches);
  }
  return pairedDifference(sides[0]!, sides[1]!, { seed: SEED });
}
