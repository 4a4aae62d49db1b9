// split.json: which images a run trained on and which it held back for validation, where its data set had no val split.

import { runFiles } from "../files.ts";
import { readJsonObject } from "../json.ts";

/** Names of files as the annotations have them. */
export type SplitRecord = { fraction: number; seed: number; group: string | null; train: string[]; val: string[] };

/** What the run in a folder held back; null where it held back nothing, or the record cannot be read. */
export async function readSplit(dir: string): Promise<SplitRecord | null> {
  const record = await readJsonObject<Partial<SplitRecord>>(runFiles(dir).split);
  const { fraction, seed, group, train, val } = record ?? {};
  if (typeof fraction !== "number" || typeof seed !== "number" || !areNames(train) || !areNames(val)) return null;
  return { fraction, seed, group: typeof group === "string" ? group : null, train, val };
}

function areNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === "string");
}
