// wandb/delivered.json of a run: what of it is known to have arrived at W&B, other than by `wandb sync`.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runFiles } from "../../../run/files.ts";
import { fileError, writeFileAtomic } from "../../../util/files.ts";

/**
 * The last step that W&B has (-1: none). `open`: rows were on their way when this was written, and some of them may have
 * arrived.
 */
export type Delivered = { step: number; open: boolean };

const fileOf = (dir: string) => join(runFiles(dir).wandb, "delivered.json");

export async function noteDelivered(dir: string, delivered: Delivered): Promise<void> {
  await writeFileAtomic(fileOf(dir), `${JSON.stringify(delivered)}\n`);
}

/** What was noted last; undefined where nothing of the run was ever sent. */
export async function deliveredSteps(dir: string): Promise<Delivered | undefined> {
  const text = await readFile(fileOf(dir), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw fileError(fileOf(dir), "read", error);
  });
  return text === undefined ? undefined : (JSON.parse(text) as Delivered);
}
