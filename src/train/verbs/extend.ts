// Training a run longer than its recipe said: more epochs, more hours; the schedule is laid over the new length.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeRecipe } from "../../recipe/load.ts";
import type { Recipe } from "../../recipe/schema.ts";
import type { MetricsRow } from "../../run/events.ts";
import { runFiles } from "../../run/files.ts";
import { scheduleFactor } from "../../step/optimiser/schedule.ts";
import { UserError } from "../../util/errors.ts";
import { writeFileAtomic } from "../../util/files.ts";
import { type Fact, sentence } from "../../util/text/fact.ts";
import { follow, type TrainOptions } from "../ending/follow.ts";
import { describeTested } from "../ending/testSplit.ts";
import type { Run } from "../liveRun.ts";
import { isExhausted } from "../record/earlyStopping.ts";
import { finished, saveProgress } from "../record/saving.ts";
import { readRun, reopen, restored, whileLocked } from "../run.ts";

export type ExtendOptions = Omit<TrainOptions, "workers"> & {
  /** Epochs of the whole run, those that are done included. */
  epochs?: number | undefined;
  /** Hours of the whole run, those that are over included. */
  maxHours?: number | undefined;
};

/**
 * Train a finished, stopped or interrupted run longer. Its recipe.yaml is replaced (the old one stays beside it). Yields the
 * rows that it adds. Throws a UserError where the new length is not beyond what is done.
 */
export async function* extend(dir: string, options: ExtendOptions): AsyncGenerator<MetricsRow, void, undefined> {
  yield* whileLocked(dir, () => extendLocked(dir, options));
}

async function* extendLocked(dir: string, options: ExtendOptions): AsyncGenerator<MetricsRow, void, undefined> {
  const { recipe: before, saved } = await readRun(dir);
  const { epoch, patience, seconds = 0 } = saved.state;
  const { epochs = before.train.epochs, maxHours = before.train.max_hours } = options;
  const hint = "Both count the whole run: --epochs 30 makes it 30 epochs in all.";
  if (epochs <= epoch)
    throw new UserError(`The run ${dir} has ${epoch} epochs behind it: --epochs ${epochs} adds none.`, { hint });
  if (maxHours !== null && maxHours * 3600 <= seconds)
    throw new UserError(
      `The run ${dir} has taken ${(seconds / 3600).toFixed(2)} hours: --max-hours ${maxHours} adds none.`,
      { hint },
    );
  // a hard stop that is reached would end the longer run at once
  const stopped = before.train.max_steps !== null && saved.state.step >= before.train.max_steps;
  const maxSteps = stopped ? null : before.train.max_steps;
  const recipe: Recipe = { ...before, train: { ...before.train, epochs, max_hours: maxHours, max_steps: maxSteps } };
  const again = isExhausted(before, patience);
  const state = again ? { ...saved.state, patience: { ...patience, stale: 0 } } : saved.state;
  if (finished(recipe, state)) throw new Error("a run that is extended has something left to do");

  const run = await reopen(dir, recipe, { ...saved, state }, options);
  const changed = changes(before, recipe);
  const kept = changed.length > 0 ? await replaceRecipe(dir, recipe) : undefined;
  run.facts.push(
    restored(saved),
    ...changed.map((value) => ({ name: "Overridden", value })),
    ...(again
      ? [
          {
            name: "Early stopping waits anew",
            value: `${patience.stale} evaluations without improvement are forgotten`,
          },
        ]
      : []),
    relaid(run, before),
    ...(run.testImages ? await describeTested(dir) : []),
    ...(kept ? [sentence(`The recipe before is kept as ${kept}`)] : []),
  );
  // from here on `resume` goes on with this, too
  yield* follow(run, options, again ? saveProgress(run, saved.checkpoint) : undefined);
}

const KEYS = ["epochs", "max_steps", "max_hours"] as const;

function changes({ train: before }: Recipe, { train: after }: Recipe): string[] {
  return KEYS.filter((key) => before[key] !== after[key]).map(
    (key) => `train.${key} ${before[key] ?? "none"} -> ${after[key] ?? "none"}`,
  );
}

/** Write the recipe; the old one goes to recipe.before-extend-<n>.yaml first. Returns that name. */
async function replaceRecipe(dir: string, recipe: Recipe): Promise<string> {
  const path = runFiles(dir).recipe;
  let number = 1;
  const name = () => `recipe.before-extend-${number}.yaml`;
  while (existsSync(join(dir, name()))) number++;
  await writeFileAtomic(join(dir, name()), await readFile(path));
  await writeRecipe(path, recipe);
  return name();
}

/** A fact about the schedule: what the next step's learning rates would have been, and what they are. */
function relaid(
  { size, schedule, progress, recipe, staging }: Pick<Run, "size" | "schedule" | "progress" | "recipe" | "staging">,
  { train: { epochs } }: Recipe,
): Fact {
  const { lr, lr_encoder } = recipe.train;
  const rates = (length: number) => {
    const factor = scheduleFactor(schedule, progress.step, { ...size, epochs: length }) * staging.current.lrFactor;
    return `${(lr * factor).toPrecision(3)} and ${(lr_encoder * factor).toPrecision(3)} (encoder)`;
  };
  const what = `${schedule.name} schedule over ${size.epochs} epochs, ${size.totalSteps} steps`;
  const change = `at step ${progress.step + 1} the learning rates are ${rates(size.epochs)}, not ${rates(epochs)}`;
  return {
    name: "Re-laid",
    value: epochs === size.epochs ? `nothing, the ${what}, stays as it is` : `${what}; ${change}`,
  };
}
