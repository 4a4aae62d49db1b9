// data.batch_size: auto. Whole steps are tried in processes of their own, so that one that runs out of memory ends nothing
// but itself, and so that each shows the peak of its own memory.

import { availableMemory } from "node:process";
import type { Architecture } from "../../architecture/variants.ts";
import { loadDataset } from "../../data/dataset/dataset.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { multiScaleSides } from "../../step/multiScale.ts";
import { UserError } from "../../util/errors.ts";
import { fromThrown, startProcess, type Thrown } from "../../util/threads/thread.ts";
import { recipeArchitecture } from "../recipeArchitecture.ts";
import { gigabytes, type ProbeResult, searchBatchSize } from "./batchSearch.ts";

/** What a probing process is told. */
export type ProbeTask = {
  recipe: Recipe;
  architecture: Architecture;
  batchSize: number;
  /** Side of the images and boxes of each: the most that the run can meet. */
  side: number;
  boxes: number;
};

/** What it answers: `failed` where memory ran out, `fault` for anything else that went wrong. */
export type ProbeAnswer = (ProbeResult & { kind: "cpu" | "gpu" }) | { failed: string } | { fault: Thrown };

/** Share of the memory that is free now which a step may take; and of the batch that just fits on a GPU. */
const MEMORY_SHARE = 0.8;
const GPU_SHARE = 0.9;
const MOST = 64;
const SECONDS = 60;
const MOST_SECONDS_A_PROBE = 180;

/**
 * The recipe with a number for `data.batch_size: auto`, and lines that say why that one. Throws a UserError where not even
 * one image fits.
 */
export async function withBatchSize(
  recipe: Recipe,
  { most, signal }: { most?: number | null; signal?: AbortSignal | undefined } = {},
): Promise<{ recipe: Recipe; facts: string[] }> {
  if (recipe.data.batch_size !== "auto") return { recipe, facts: [] };
  const dataset = await loadDataset(recipe.data);
  const architecture = recipeArchitecture(recipe, dataset.classes.length);
  const { samples } = dataset.splits.train!;
  const boxes = samples.reduce((max, { annotations }) => Math.max(max, annotations.filter((a) => !a.crowd).length), 0);
  const side = recipe.data.multi_scale === "off" ? architecture.resolution : multiScaleSides(architecture).at(-1)!;
  const task = { recipe, architecture, side, boxes };

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
  return {
    recipe: { ...recipe, data: { ...recipe.data, batch_size: size } },
    facts: [
      `Batch size: ${size} chosen (auto): ${found.imagesPerSecond.toFixed(2)} images a second, ${peak}; ${found.limit}`,
      `An update sees ${size} x ${accumulated} = ${size * accumulated} images (train.grad_accum_steps is ${accumulated})`,
    ],
  };
}

function tooLarge(reason: string, side: number): UserError {
  return new UserError(`data.batch_size is auto, but not even one image of ${side} x ${side} pixels fits: ${reason}.`, {
    hint: "Set train.gradient_checkpointing to all, lower model.resolution, take a smaller variant, or set data.multi_scale to off.",
  });
}

/** One probe in a process of its own. Throws what is wrong with anything but memory. */
async function runProbe(
  task: ProbeTask,
  signal: AbortSignal | undefined,
): Promise<(Exclude<ProbeResult, { failed: string }> & { kind: "cpu" | "gpu" }) | { failed: string }> {
  const trial = `A trial of batch size ${task.batchSize}`;
  const answer = await new Promise<ProbeAnswer>((resolve, reject) => {
    const child = startProcess("autoBatchProbe", import.meta.url, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
    const stop = () => child.kill("SIGKILL");
    const timer = setTimeout(stop, 1000 * MOST_SECONDS_A_PROBE);
    let answer: ProbeAnswer | undefined;
    signal?.addEventListener("abort", stop, { once: true });
    child.on("message", (message: ProbeAnswer) => {
      answer = message;
    });
    child.on("error", reject);
    child.on("exit", (code, killedBy) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      if (signal?.aborted) reject(signal.reason);
      else if (answer) resolve(answer);
      else if (killedBy) resolve({ failed: `the system ended it (${killedBy})` });
      else reject(new Error(`${trial}: the process ended with code ${code}`));
    });
    child.send(task);
  });
  if (!("fault" in answer)) return answer;
  const { fault } = answer;
  throw fault.user ? fromThrown(fault) : new Error(`${trial}: ${fault.stack ?? fault.message}`);
}
