// train.compile: auto. Steps are timed in both ways that a recorded stage can run in, each in a process of its own.

import { loadDataset } from "../../data/dataset/dataset.ts";
import type { Recipe } from "../../recipe/schema.ts";
import type { Fact } from "../../util/text/fact.ts";
import { recipeArchitecture } from "../recipeArchitecture.ts";
import { batchSize } from "../runData.ts";
import { heaviest, runProbe } from "./probe.ts";

const MODES = ["graph", "xla"] as const;
type Mode = (typeof MODES)[number];

/** What a mode takes: seconds of a step, or why there are none. */
export type StepTime = { seconds: number } | { failed: string };

type CompileOptions = {
  /** Take `graph` without timing anything. */
  untimed?: boolean | undefined;
  signal?: AbortSignal | undefined;
  time?: (recipe: Recipe, signal: AbortSignal | undefined) => Promise<StepTime>;
};

/**
 * The recipe with a mode for `train.compile: auto`, and facts that say why that one; its `data.batch_size` is a number. The
 * choice stands in the run's recipe, because XLA rounds differently: a run that goes on keeps it.
 */
export async function withCompile(
  recipe: Recipe,
  { untimed = false, signal, time = timeStep }: CompileOptions = {},
): Promise<{ recipe: Recipe; facts: Fact[] }> {
  if (recipe.train.compile !== "auto") return { recipe, facts: [] };
  const as = (compile: Mode): Recipe => ({ ...recipe, train: { ...recipe.train, compile } });
  if (untimed) return { recipe: as("graph"), facts: [{ name: "Recorded steps", value: "graph (auto, not timed)" }] };
  const timed: [Mode, StepTime][] = [];
  for (const mode of MODES) timed.push([mode, await time(as(mode), signal)]);
  const secondsOf = (one: StepTime) => ("failed" in one ? Number.POSITIVE_INFINITY : one.seconds);
  const [chosen] = timed.reduce((a, b) => (secondsOf(b[1]) < secondsOf(a[1]) ? b : a));
  const figures = timed.map(([mode, one]) => `${mode} ${"failed" in one ? `failed: ${one.failed}` : inSeconds(one)}`);
  const value = `${chosen} chosen (auto), by the time of a step here: ${figures.join(", ")}`;
  return { recipe: as(chosen), facts: [{ name: "Recorded steps", value }] };
}

const inSeconds = ({ seconds }: { seconds: number }) =>
  seconds < 1 ? `${(1000 * seconds).toFixed(0)} ms` : `${seconds.toFixed(2)} s`;

async function timeStep(recipe: Recipe, signal: AbortSignal | undefined): Promise<StepTime> {
  const dataset = await loadDataset(recipe.data);
  const architecture = recipeArchitecture(recipe, dataset.classes.length);
  const { side, boxes } = heaviest(recipe, architecture, dataset.splits.train!.samples);
  return runProbe({ recipe, architecture, batchSize: batchSize(recipe), side, boxes }, signal);
}
