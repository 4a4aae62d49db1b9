// The measured loop: image files through a model, stage by stage, several models taking turns.

import { readFile } from "node:fs/promises";
import { decodeBytes, type Rgb } from "../data/decode.ts";
import type { ImageDetections } from "../model/postprocess.ts";
import { fileError } from "../util/files.ts";

/**
 * The way of an image, in its order. `wait`: for the next images, which were decoded meanwhile; read and decode are
 * stages of their own only where nothing is fetched ahead.
 */
export const STAGES = ["read", "decode", "resize", "forward", "postprocess", "wait"] as const;
export type Stage = (typeof STAGES)[number];

/** [height, width] of each original image, in pixels. */
export type Sizes = readonly (readonly [height: number, width: number])[];

/** A model as the loop sees it; it may be in any runtime. */
export type Pipeline = {
  /** Images as the model takes them, one after the other. */
  resize(images: readonly Rgb[]): Float32Array;
  /**
   * The model's own work, finished when the promise resolves. What it gives makes detections of its outputs, and has to
   * be called once.
   */
  forward(
    input: Float32Array,
    count: number,
  ): Promise<(sizes: Sizes) => ImageDetections[] | Promise<ImageDetections[]>>;
};

/** Milliseconds of one batch from files to detections. */
export type Turn = { total: number; stages: Partial<Record<Stage, number>> };

export type RoundsOptions = {
  /** Image files; a round takes the next ones, from the beginning again after the last. */
  paths: readonly string[];
  batchSize: number;
  rounds: number;
  /** Rounds before, of which nothing is kept. */
  warmUp: number;
  /** Read and decode the next images while the model computes. */
  prefetch: boolean;
  /** Stops between two rounds. */
  signal?: AbortSignal | undefined;
  onRound?: ((done: number, all: number) => unknown) | undefined;
};

/**
 * Let models take turns: in each round every model has the same images, and every other round turns their order, so that
 * neither always comes first. Gives the turns of each model, one a round. Throws a UserError naming an image that cannot
 * be read, and the signal's reason once it is aborted.
 */
export async function takeTurns(pipelines: readonly Pipeline[], options: RoundsOptions): Promise<Turn[][]> {
  const { paths, batchSize, rounds, warmUp, prefetch, signal, onRound } = options;
  const batch = (round: number) => Array.from({ length: batchSize }, (_, i) => paths[(round * batchSize + i) % paths.length]!); // biome-ignore format: one line
  const all = warmUp + rounds;
  const runners = await Promise.all(
    pipelines.map((pipeline) => (prefetch ? runnerAhead(pipeline, batch(0)) : runner(pipeline))),
  );
  const turns: Turn[][] = pipelines.map(() => []);
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
}

type Runner = (now: readonly string[], next: readonly string[]) => Promise<Turn>;

/** One thing after the other. */
function runner(pipeline: Pipeline): Runner {
  return async (now) => {
    const clock = stopwatch();
    const files = await Promise.all(now.map(read));
    clock.lap("read");
    const images = await Promise.all(files.map((bytes, i) => decodeBytes(bytes, now[i]!)));
    clock.lap("decode");
    await compute(pipeline, images, clock);
    return clock.stop();
  };
}

/** The images of this turn are there when it begins, and those of the next when it ends; a turn pays for its own waiting. */
async function runnerAhead(pipeline: Pipeline, first: readonly string[]): Promise<Runner> {
  let ready = await load(first);
  return async (_, next) => {
    const clock = stopwatch();
    const coming = load(next);
    coming.catch(() => {}); // reported where it is awaited, unless the model fails first
    await compute(pipeline, ready, clock);
    ready = await coming;
    clock.lap("wait");
    return clock.stop();
  };
}

async function compute(pipeline: Pipeline, images: readonly Rgb[], clock: Stopwatch): Promise<void> {
  const input = pipeline.resize(images);
  clock.lap("resize");
  const finish = await pipeline.forward(input, images.length);
  clock.lap("forward");
  await finish(images.map(({ width, height }) => [height, width]));
  clock.lap("postprocess");
}

function load(paths: readonly string[]): Promise<Rgb[]> {
  return Promise.all(paths.map(async (path) => decodeBytes(await read(path), path)));
}

function read(path: string): Promise<Uint8Array> {
  return readFile(path).catch((cause) => {
    throw fileError(path, "read", cause);
  });
}

type Stopwatch = { lap(stage: Stage): void; stop(): Turn };

function stopwatch(): Stopwatch {
  const begin = performance.now();
  let last = begin;
  const stages: Turn["stages"] = {};
  return {
    lap(stage) {
      const now = performance.now();
      stages[stage] = now - last;
      last = now;
    },
    stop: () => ({ total: performance.now() - begin, stages }),
  };
}
