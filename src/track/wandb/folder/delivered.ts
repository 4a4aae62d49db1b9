// wandb/delivered.json of a run: what of it is known to have arrived at W&B, other than by `wandb sync`.

import { join } from "node:path";
import { runFiles } from "../../../run/files.ts";
import { readRunText } from "../../../run/json.ts";
import { UserError } from "../../../util/errors.ts";
import { writeFileAtomic } from "../../../util/files.ts";
import { parseJson } from "../../../util/untrusted/json.ts";
import { isMissing } from "../../../util/untrusted/regular.ts";

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
  const path = fileOf(dir);
  const text = await readRunText(path, { dir }).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const { step, open } = (parseJson(text, path) ?? {}) as Partial<Delivered>;
  if (Number.isInteger(step) && typeof open === "boolean") return { step: step!, open };
  throw new UserError(`${path} does not say what W&B has of the run.`, {
    hint: "Restore the file, or delete it together with wandb.json: the run then becomes a new one at W&B.",
  });
}
