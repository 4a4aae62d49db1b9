// The means of an epoch, summed up step by step: its last row has them beside its own step's numbers.

import type { EpochMean, TrainRow } from "../../run/events.ts";
import { TIMING_FIELDS } from "../../run/records/metricsFile.ts";

/** Sums over the steps of an epoch that are done. What measures time is not among them: they are the same in any two runs. */
export type EpochSums = { steps: number; sums: Readonly<Record<string, number>> };

/** At the beginning of an epoch. */
export const NO_STEPS: EpochSums = { steps: 0, sums: {} };

const NO_MEASURE = new Set(["step", "epoch", "split", ...TIMING_FIELDS]);

/**
 * Count a step among those of its epoch. Returns its row, with the epoch's means where no step of it follows. An epoch has
 * none where some of its steps were done by a version that did not sum them up.
 */
export function countStep(
  progress: { epochSums: EpochSums | null },
  row: TrainRow,
  { last }: { last: boolean },
): TrainRow {
  const { epochSums: before } = progress;
  if (!before) return row;
  const sums = { ...before.sums };
  for (const [name, value] of Object.entries(row)) {
    if (NO_MEASURE.has(name) || typeof value !== "number" || !Number.isFinite(value)) continue;
    sums[name] = (sums[name] ?? 0) + value;
  }
  const steps = before.steps + 1;
  progress.epochSums = { steps, sums };
  if (!last) return row;
  const means = Object.entries(sums).map(([name, sum]) => [name, sum / steps]);
  return { ...row, epoch_mean: { steps, ...Object.fromEntries(means) } as EpochMean };
}
