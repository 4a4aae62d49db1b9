// Texts and JSON files of a run's folder, which a later version, another program or a stranger may have written.

import { dirname } from "node:path";
import { parseJson } from "../util/untrusted/json.ts";
import { readRegularText } from "../util/untrusted/regular.ts";

/** Bytes of a text of a run's folder: the rows of half a million steps. */
export const MOST_RUN_BYTES = 256 << 20;
const MOST_JSON_BYTES = 64 << 20;

/** A file of the run in `dir`, by default in the folder itself; a link on the way is not followed. Throws a UserError. */
export function readRunText(
  path: string,
  { most = MOST_RUN_BYTES, dir = dirname(path) }: { most?: number; dir?: string } = {},
): Promise<string> {
  return readRegularText(path, { most, within: dir });
}

/** A JSON object, any part of which may be missing or something else; null where there is none that can be read. */
export async function readJsonObject<Value extends object>(path: string): Promise<Value | null> {
  try {
    const value = parseJson(await readRunText(path, { most: MOST_JSON_BYTES }), path);
    return typeof value === "object" && value !== null ? (value as Value) : null;
  } catch {
    return null;
  }
}
