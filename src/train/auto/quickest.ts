// Keys of the recipe that say `auto`: steps are timed with each of their values, each in a process of its own, and the quickest is taken.

import type { Recipe } from "../../recipe/schema.ts";
import { inSeconds } from "../../util/text/duration.ts";
import type { Fact } from "../../util/text/fact.ts";
import { recipeArchitecture } from "../recipeArchitecture.ts";
import { loadRunData } from "../runData.ts";
import { batchSize } from "../settings.ts";
import { heaviest, runProbe } from "./probe.ts";

/** Keys of `train` in the order that they are decided in; of a key's values the first is taken where nothing is timed. */
const CHOICES = [
  { key: "amp_dtype", values: ["none", "bf16"], name: "Precision" },
  { key: "compile", values: ["graph", "xla"], name: "Recorded steps" },
] as const;

/** What a value comes to: seconds of a step, or why there are none. */
export type StepTime = { seconds: number } | { failed: string };

type QuickestOptions = {
  /** Take the first value without timing anything. */
  untimed?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Told what is being timed, before it takes its time. */
  say?: ((message: string) => void) | undefined;
  time?: (recipe: Recipe, signal: AbortSignal | undefined) => Promise<StepTime>;
};

/**
 * The recipe with a value for each key that says `auto`, and facts that say why that one; its `data.batch_size` is a number. The
 * choices stand in the run's recipe, because values round differently: a run that goes on keeps them.
 */
export async function withQuickest(
  given: Recipe,
  { untimed = false, signal, say, time = stepTimer() }: QuickestOptions = {},
): Promise<{ recipe: Recipe; facts: Fact[] }> {
  let recipe = given;
  const facts: Fact[] = [];
  for (const { key, values, name } of CHOICES) {
    if (recipe.train[key] !== "auto") continue;
    const base = recipe;
    const as = (value: string) => ({ ...base, train: { ...base.train, [key]: value } }) as Recipe;
    if (untimed) {
      recipe = as(values[0]);
      facts.push({ name, value: `${values[0]} (auto, not timed)` });
      continue;
    }
    say?.(`Timing a step with train.${key} ${values.join(" and ")}, each in a process of its own ...`);
    const timed: [string, StepTime][] = [];
    for (const value of values) timed.push([value, await time(as(value), signal)]);
    const secondsOf = (one: StepTime) => ("failed" in one ? Number.POSITIVE_INFINITY : one.seconds);
    const [chosen] = timed.reduce((a, b) => (secondsOf(b[1]) < secondsOf(a[1]) ? b : a));
    const figures = timed.map(
      ([value, one]) => `${value} ${"failed" in one ? `failed: ${one.failed}` : inSeconds(one.seconds, { digits: 2 })}`,
    );
    facts.push({ name, value: `${chosen} chosen (auto), by the time of a step here: ${figures.join(", ")}` });
    recipe = as(chosen);
  }
  return { recipe, facts };
}

/** Times steps of one recipe's variations, whose data are read once. */
function stepTimer(): NonNullable<QuickestOptions["time"]> {
  let reading: ReturnType<typeof loadRunData> | undefined;
  return async (recipe, signal) => {
    reading ??= loadRunData(recipe);
    const dataset = await reading;
    const architecture = recipeArchitecture(recipe, dataset.classes.length);
    const { side, boxes } = heaviest(recipe, architecture, dataset.splits.train!.samples);
    return runProbe({ recipe, architecture, batchSize: batchSize(recipe), side, boxes }, signal);
  };
}
