// wandb.json: under which names W&B knows a run. Made once, so that a resumed run stays the same run there.

import { randomInt } from "node:crypto";
import { runFiles } from "../../../run/files.ts";
import { readRunText } from "../../../run/json.ts";
import { UserError } from "../../../util/errors.ts";
import { writeFileAtomic } from "../../../util/files.ts";
import { isMissing } from "../../../util/untrusted/regular.ts";

export type RunIdentity = {
  /** W&B's id of the run: eight letters and digits. */
  id: string;
  /** Names of the run's artifact before the server has named it, 128 letters and digits each: the row of versions, and a secret that the name of each version is derived from. */
  artifactIds: { sequence: string; version: string };
};

const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";

/** The run folder's identity, which the first call makes. Throws UserError where the file is there but no identity. */
export async function runIdentity(dir: string): Promise<RunIdentity> {
  const path = runFiles(dir).wandbIdentity;
  const text = await readRunText(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (text !== undefined) return parse(text, path);
  const identity = { id: letters(8), artifactIds: { sequence: letters(128), version: letters(128) } };
  await writeFileAtomic(path, `${JSON.stringify(identity, null, 2)}\n`);
  return identity;
}

function parse(text: string, path: string): RunIdentity {
  let value: Partial<RunIdentity> | null = null;
  try {
    value = JSON.parse(text) as Partial<RunIdentity> | null;
  } catch {} // said below
  const { sequence, version } = value?.artifactIds ?? {};
  if (
    /^[a-z0-9]{8}$/.test(value?.id ?? "") &&
    [sequence, version].every((name) => /^[a-z0-9]{128}$/.test(name ?? ""))
  ) {
    return value as RunIdentity;
  }
  throw new UserError(`${path} does not hold the identity of a W&B run.`, {
    hint: "Restore the file, or delete it: the run then becomes a new one at W&B.",
  });
}

/** Random letters and digits: a name, not part of any computation. */
function letters(length: number): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}
