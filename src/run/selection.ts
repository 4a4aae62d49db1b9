// Which evaluation of a run is the best: the one rule, for typed recipes and for those of any version as plain data.

import { classMetric, MAIN_METRIC } from "../instance/metrics.ts";
import { isObject } from "../util/untrusted/json.ts";
import type { MetricsRow, ValRow } from "./events.ts";

export type Selection = {
  /** The metric that chooses: the recipe's, else early stopping's, else the main one. `AP:tree` is the main metric of one class. */
  metric: string;
  /** Of which epoch (from 0) on evaluations count: those before give no best one. */
  from: number;
  /** Its value in an evaluation's row; null where there was nothing to measure, and where the evaluation does not count. */
  of(row: ValRow): number | null;
  /** The best evaluation among rows, the first of equals. */
  best(rows: readonly MetricsRow[]): ValRow | null;
};

/** How a recipe chooses. */
export function selection(recipe: { selection?: unknown; early_stopping?: unknown }): Selection {
  const named = [recipe.selection, recipe.early_stopping].map((one) => (isObject(one) ? one.metric : undefined));
  const metric = named.find((one) => typeof one === "string") ?? MAIN_METRIC;
  const skipped = isObject(recipe.selection) ? recipe.selection.skip_best_epochs : undefined;
  const from = typeof skipped === "number" ? skipped : 0;
  const of = (row: ValRow) => (row.epoch >= from ? metricIn(row, metric) : null);
  return {
    ...{ metric, from, of },
    best: (rows) => {
      let best: { row: ValRow; score: number } | null = null;
      for (const row of rows) {
        if (row.split !== "val") continue;
        const score = of(row);
        if (isBetter(score, best)) best = { row, score: score! };
      }
      return best?.row ?? null;
    },
  };
}

/** Whether a score is better than the best so far; the first one is. */
export function isBetter(score: number | null, best: { score: number } | null): boolean {
  return score !== null && score > (best?.score ?? Number.NEGATIVE_INFINITY);
}

/** The class whose AP a metric is, such as "tree" of "AP:tree"; undefined for a metric of all classes. */
export function classOfMetric(metric: string): string | undefined {
  return classMetric(metric)?.name;
}

/** Where a metric's value lies in an evaluation's row: key by key. */
export function pathOfMetric(metric: string): string[] {
  const ofClass = classMetric(metric);
  return ofClass ? [ofClass.key, ofClass.name] : [metric];
}

function metricIn(row: ValRow, metric: string): number | null {
  const value = pathOfMetric(metric).reduce<unknown>(
    (found, key) => (typeof found === "object" && found !== null ? (found as Record<string, unknown>)[key] : undefined),
    row,
  );
  return typeof value === "number" ? value : null;
}
