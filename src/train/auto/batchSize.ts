// data.batch_size: auto. Whole steps are tried in processes of their own, so that one that runs out of memory ends nothing
// but itself, and so that each shows the peak of its own memory.

import { availableMemory } from "node:process";
import type { Recipe } from "../../recipe/schema.ts";
import { UserError } from "../../util/errors.ts";
import { type Fact, sentence } from "../../util/text/fact.ts";
import { recipeArchitecture } from "../recipeArchitecture.ts";
import { loadRunData } from "../runData.ts";
import { gigabytes, searchBatchSize } from "./batchSearch.ts";
import { heaviest, runProbe } from "./probe.ts";

/** Share of the memory that is free now which a step may take; and of the batch that just fits on a GPU. */
const MEMORY_SHARE = 0.8;
const GPU_SHARE = 0.9;
const MOST = 64;
const SECONDS = 60;

/**
 * The recipe with a number for `data.batch_size: auto`, and facts that say why that one. Throws a UserError where not even
 * one image fits.
 */
export async function withBatchSize(
  recipe: Recipe,
  {
    most,
    signal,
    say,
  }: { most?: number | null; signal?: AbortSignal | undefined; say?: ((message: string) => void) | undefined } = {},
): Promise<{ recipe: Recipe; facts: Fact[] }> {
  if (recipe.data.batch_size !== "auto") return { recipe, facts: [] };
  const dataset = await loadRunData(recipe);
  const architecture = recipeArchitecture(recipe, dataset.classes.length);
  const { samples } = dataset.splits.train!;
  const { side, boxes } = heaviest(recipe, architecture, samples);
  // replays take no more memory than steps that are not recorded, which are sooner tried
  const compile = recipe.train.compile === "xla" ? "xla" : "off";
  const task = { recipe: { ...recipe, train: { ...recipe.train, compile } }, architecture, side, boxes } as const;

  say?.(`Trying batch sizes, each in a process of its own (${SECONDS} seconds or so) ...`);
  const first = await runProbe({ ...task, batchSize: 1 }, signal);
  if ("failed" in first) throw tooLarge(first.failed, side);
  const cpu = first.kind === "cpu";
  const found = await searchBatchSize({
    probe: async (batchSize) => (batchSize === 1 ? first : runProbe({ ...task, batchSize }, signal)),
    most: Math.min(MOST, samples.length, most ?? MOST),
    limitBytes: cpu ? MEMORY_SHARE * availableMemory() : null,
    mustBeFaster: cpu,
    seconds: SECONDS,
  });
  const size = cpu ? found.size : Math.max(1, Math.floor(GPU_SHARE * found.size));
  const accumulated = recipe.train.grad_accum_steps;
  const peak = cpu ? `a peak of ${gigabytes(found.peakBytes)}` : `${found.size} fit`;
  const speed = `${found.imagesPerSecond.toFixed(2)} images a second`;
  const seen = `${size} x ${accumulated} = ${size * accumulated} images`;
  return {
    recipe: { ...recipe, data: { ...recipe.data, batch_size: size } },
    facts: [
      { name: "Batch size", value: `${size} chosen (auto): ${speed}, ${peak}; ${found.limit}` },
      sentence(`An update sees ${seen} (train.grad_accum_steps is ${accumulated})`),
    ],
  };
}

function tooLarge(reason: string, side: number): UserError {
  return new UserError(`data.batch_size is auto, but not even one image of ${side} x ${side} pixels fits: ${reason}.`, {
    hint: "Set train.gradient_checkpointing to all, lower model.resolution, take a smaller variant, or set data.multi_scale to off.",
  });
}
