// results.csv: one row an epoch, for spreadsheets. Derived from metrics.jsonl, so it can be made again at any time.

import { isObject } from "../../util/untrusted/json.ts";
import type { MetricsRow } from "../events.ts";

/**
 * The table as CSV: `train/...` columns are means over the epoch's steps, where its last row has them, else over its rows;
 * `val/...` columns are its last evaluation.
 */
export function resultsCsv(rows: readonly MetricsRow[]): string {
  const epochs = new Map<number, Map<string, number[]>>();
  const columns: Record<string, Set<string> | undefined> = Object.assign(Object.create(null), {
    ...{ train: new Set(), val: new Set(), test: new Set() },
  });
  for (const { epoch, step, split, ...fields } of rows) {
    const known = columns[split];
    if (!known) continue; // of a later version
    const cells = epochs.get(epoch) ?? new Map<string, number[]>();
    epochs.set(epoch, cells);
    cells.set("step", [step]);
    for (const [name, value] of Object.entries(fields)) {
      if (typeof value !== "number") continue;
      const column = `${split}/${name}`;
      known.add(column);
      if (split === "train") cells.set(column, [...(cells.get(column) ?? []), value]);
      else cells.set(column, [value]);
    }
  }
  for (const row of rows) {
    if (row.split !== "train" || !isObject(row.epoch_mean)) continue;
    for (const [name, value] of Object.entries(row.epoch_mean)) {
      const column = `train/${name}`;
      if (columns.train!.has(column) && typeof value === "number") epochs.get(row.epoch)!.set(column, [value]);
    }
  }
  const header = ["step", ...Object.values(columns).flatMap((names) => [...names!])];
  const lines = [...epochs]
    .sort(([a], [b]) => a - b)
    .map(([epoch, cells]) => [epoch, ...header.map((column) => mean(cells.get(column)))].join(","));
  return `${["epoch", ...header.map(quote)].join(",")}\n${lines.map((line) => `${line}\n`).join("")}`;
}

/** Seven significant digits and no exponent: what a spreadsheet reads everywhere. */
function mean(values: number[] | undefined): string {
  if (!values) return "";
  const value = Number((values.reduce((a, b) => a + b, 0) / values.length).toPrecision(7));
  if (value === 0 || Math.abs(value) >= 1e-6) return String(value);
  return Math.abs(value) < 1e-20 ? "0" : value.toFixed(20).replace(/0+$/, "");
}

function quote(name: string): string {
  return /[",\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}
