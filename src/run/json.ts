// The JSON files of a run's folder, which a later version or another program may have written.

import { readFile } from "node:fs/promises";

/** A JSON object, any part of which may be missing or something else; null where there is none that can be read. */
export async function readJsonObject<Value extends object>(path: string): Promise<Value | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return typeof value === "object" && value !== null ? (value as Value) : null;
  } catch {
    return null;
  }
}
