// What a run does about numbers that are not finite: a few steps may be skipped, no checkpoint ever holds one, and whoever
// trains is shown what was the last good state and how to go on from it.

import { linkedCheckpoint } from "../../checkpoint/store/links.ts";
import { runFiles } from "../../run/files.ts";
import type { LearnerTensors } from "../../step/learner.ts";
import { UserError } from "../../util/errors.ts";
import { allFinite, toFloat32 } from "../../util/hostTensor.ts";

/** Steps in a row that may be skipped because something was not a finite number. */
export const MOST_SKIPPED = 5;

type Where = { dir: string; progress: { step: number; skipped: number } };

/** Too many steps in a row were skipped; `problem` is that of the last one. */
export async function diverged(run: Where, problem: string): Promise<UserError> {
  const { skipped } = run.progress;
  const way = await wayOn(run.dir, "Correct or remove the images named");
  return new UserError(`Training has diverged: ${skipped} steps in a row were skipped. The last one: ${problem}.`, {
    hint: `The weights were not changed by these steps. ${way}`,
    code: "diverged",
  });
}

/** Throws a UserError where anything that a checkpoint would hold is not finite. */
export async function refuseNotFinite(run: Where, tensors: LearnerTensors): Promise<void> {
  const bad = Object.entries(tensors).flatMap(([part, dict]) =>
    [...(dict ?? [])].filter(([, tensor]) => !allFinite(toFloat32(tensor))).map(([name]) => `${name} (${part})`),
  );
  if (bad.length === 0) return;
  const { step } = run.progress;
  const named = `${bad.slice(0, 3).join(", ")}${bad.length > 3 ? ` and ${bad.length - 3} more` : ""}`;
  const which = step === 0 ? "These are the weights that the run starts from." : "No checkpoint was written.";
  throw new UserError(`After step ${step} there are values that are not finite numbers in ${named}. ${which}`, {
    hint: await wayOn(run.dir, "Start from other weights"),
    code: "diverged",
  });
}

async function wayOn(dir: string, instead: string): Promise<string> {
  const last = await linkedCheckpoint(runFiles(dir).checkpoints, "last");
  if (!last) return `${instead}.`;
  const { recipe } = runFiles(dir);
  return (
    `${instead}, or lower train.lr and train.lr_encoder in ${recipe}. Then continue from the last good checkpoint, ` +
    `${last}, with: rfdetr-train resume ${dir}. An older one can be chosen with rfdetr-train rollback ${dir} --to NAME.`
  );
}
