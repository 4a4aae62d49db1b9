// The part file of a download: it belongs to the one process that renamed it to a name of its own, so two never write one file.
// Beside it lies the server's validator (an ETag). One that nobody has written to for a while is an orphan of a killed process.

import { randomBytes } from "node:crypto";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const ORPHAN_AGE = 600_000; // far beyond the longest pause of a live download

/** Where the validator of a part is kept. */
export function validatorOf(part: string): string {
  return `${part}.etag`;
}

/** A part file of our own for `path`: what an earlier process left, or a new name. */
export async function claimPart(path: string): Promise<string> {
  const own = `${path}.${randomBytes(4).toString("hex")}.part`;
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(prefix) || !name.endsWith(".part")) continue;
    const found = join(dirname(path), name);
    const age = Date.now() - ((await stat(found).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (name !== `${prefix}left.part` && age < ORPHAN_AGE) continue;
    try {
      await rename(found, own);
      await rename(validatorOf(found), validatorOf(own)).catch(() => {});
      return own;
    } catch {
      // Another process was quicker.
    }
  }
  return own;
}

/** Leave what came for the next run. */
export async function releasePart(part: string, path: string): Promise<void> {
  const left = `${path}.left.part`;
  await rename(validatorOf(part), validatorOf(left)).catch(() => {});
  await rename(part, left).catch(() => {});
}

/** Remove a part and its validator. */
export async function discardPart(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(validatorOf(part), { force: true });
}
