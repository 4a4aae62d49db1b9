// The measured loop: image files through a model, stage by stage, several models taking turns.

import { decodeAll, type PreparedImages, type prepareAll, readAll, resizeViews } from "../data/image/forPrediction.ts";
import type { Detector } from "../detector/detector.ts";
import type { ImageDetections } from "../instance/detections.ts";
import { mergeViews } from "../instance/slices/merge.ts";
import { createThreadPool, type ThreadPool } from "../util/threads/threadPool.ts";

/**
 * The way of an image, in its order. `wait`: for the next images, which another thread reads, decodes and resizes while
 * the model computes; these three are stages of their own only where nothing is fetched ahead.
 */
export const STAGES = ["read", "decode", "resize", "forward", "postprocess", "wait"] as const;
export type PipelineStage = (typeof STAGES)[number];

/** A model as the loop sees it; it may be in any runtime. With `slices` it has the parts of an image beside all of it. */
export type Timed = Pick<Detector, "resolution" | "forward" | "select"> & Partial<Pick<Detector, "slices">>;

/**
 * Milliseconds of one batch from files to detections. `processor`: those that all threads of this process computed in the
 * forward pass together, which other programs change little; absent where an image thread was at work meanwhile.
 */
export type Turn = { total: number; stages: Partial<Record<PipelineStage, number>>; processor?: number };

export type RoundsOptions = {
  /** Image files; a round takes the next ones, from the beginning again after the last. */
  paths: readonly string[];
  /** Images of a round, and images or parts of a forward pass. */
  batchSize: number;
  rounds: number;
  /** Rounds before, of which nothing is kept. */
  warmUp: number;
  /** Have another thread prepare the next images while the model computes. */
  prefetch: boolean;
  /** Stops between two turns. */
  signal?: AbortSignal | undefined;
  onRound?: ((done: number, all: number) => unknown) | undefined;
};

/**
 * Let models take turns: in each round every model has the same images, and every other round turns their order, so that
 * neither always comes first. Gives the turns of each model, one a round. Throws a UserError naming an image that cannot
 * be read, and the signal's reason once it is aborted.
 */
export async function takeTurns(models: readonly Timed[], options: RoundsOptions): Promise<Turn[][]> {
  const { paths, batchSize, rounds, warmUp, prefetch, signal, onRound } = options;
  const batch = (round: number) => Array.from({ length: batchSize }, (_, i) => paths[(round * batchSize + i) % paths.length]!); // biome-ignore format: one line
  const all = warmUp + rounds;
  const ahead = prefetch ? imageThread() : undefined;
  try {
    const runners: Runner[] = [];
    for (const model of models)
      runners.push(ahead ? await runnerAhead(model, ahead, { first: batch(0), batchSize }) : runner(model, batchSize));
    const turns: Turn[][] = models.map(() => []);
    for (let round = 0; round < all; round++) {
      const order = runners.map((_, i) => i);
      if (round % 2 === 1) order.reverse();
      for (const which of order) {
        signal?.throwIfAborted();
        const turn = await runners[which]!(batch(round), batch(round + 1));
        if (round >= warmUp) turns[which]!.push(turn);
      }
      onRound?.(round + 1, all);
    }
    return turns;
  } finally {
    await ahead?.close();
  }
}

/** A model's forward pass keeps the thread that calls it, so images are prepared by one of their own. */
function imageThread(): ThreadPool<typeof prepareAll> {
  return createThreadPool({ module: "imageThread", from: import.meta.url, threads: 1, name: "An image thread" });
}

type Runner = (now: readonly string[], next: readonly string[]) => Promise<Turn>;

/** One thing after the other. */
function runner(model: Timed, batchSize: number): Runner {
  return async (now) => {
    const clock = stopwatch();
    const files = await readAll(now);
    clock.lap("read");
    const images = await decodeAll(files, now);
    clock.lap("decode");
    const prepared = resizeViews(images, model.resolution, model.slices);
    clock.lap("resize");
    const processor = await compute(model, prepared, { clock, batchSize });
    return { ...clock.stop(), processor };
  };
}

/** The images of a turn are there when it begins, and those of the next when it ends: a turn pays for its own waiting. */
async function runnerAhead(
  model: Timed,
  ahead: ThreadPool<typeof prepareAll>,
  { first, batchSize }: { first: readonly string[]; batchSize: number },
): Promise<Runner> {
  const { resolution: side, slices } = model;
  let ready = await ahead.run({ paths: first, side, slices });
  return async (_, next) => {
    const clock = stopwatch();
    const coming = ahead.run({ paths: next, side, slices });
    coming.catch(() => {}); // reported where it is awaited, unless the model fails first
    await compute(model, ready, { clock, batchSize });
    ready = await coming;
    clock.lap("wait");
    return clock.stop();
  };
}

/** Gives the processor's milliseconds of the forward pass, or of those of all parts. */
async function compute(
  model: Timed,
  { pixels, sizes, areas }: PreparedImages,
  { clock, batchSize }: { clock: Stopwatch; batchSize: number },
): Promise<number> {
  const values = pixels.length / sizes.length;
  const found: ImageDetections[] = [];
  let processor = 0;
  for (let from = 0; from < sizes.length; from += batchSize) {
    const own = sizes.slice(from, from + batchSize);
    const before = process.cpuUsage();
    const outputs = await model.forward(pixels.subarray(from * values, (from + own.length) * values), own);
    clock.lap("forward");
    const { user, system } = process.cpuUsage(before);
    found.push(...(await model.select(outputs, own)));
    clock.lap("postprocess");
    processor += (user + system) / 1000;
  }
  if (areas && model.slices) {
    for (const views of areas) mergeViews(views.map((area) => ({ area, found: found.shift()! })), model.slices); // biome-ignore format: one line
    clock.lap("postprocess");
  }
  return processor;
}

type Stopwatch = { lap(stage: PipelineStage): void; stop(): Turn };

function stopwatch(): Stopwatch {
  const begin = performance.now();
  let last = begin;
  const stages: Turn["stages"] = {};
  return {
    lap(stage) {
      const now = performance.now();
      stages[stage] = (stages[stage] ?? 0) + now - last;
      last = now;
    },
    stop: () => ({ total: performance.now() - begin, stages }),
  };
}
