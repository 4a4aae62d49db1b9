// Metrics as one flat object, for JSON.

import type { F1 } from "../run/records/evaluation.ts";
import type { CocoMetrics } from "./cocoAp.ts";

/**
 * One row of metrics under the names that metrics.jsonl has: every metric, F1 at its best threshold, and `per_class` by
 * name.
 */
export function metricsOf({
  metrics,
  perClass,
  f1,
}: Pick<CocoMetrics, "metrics" | "perClass"> & { f1: F1 }): Record<
  string,
  number | Record<string, Record<string, number>>
> {
  const names = new Set<string>();
  const per_class = Object.fromEntries(
    perClass.map(({ id, name, ...values }) => {
      const unique = names.has(name) ? `${name} (${id})` : name;
      names.add(unique);
      return [unique, values];
    }),
  );
  const atBest = { F1: f1.f1, precision: f1.precision, recall: f1.recall, F1_threshold: f1.threshold };
  return { ...metrics, ...atBest, per_class };
}
