// How long a model takes from image files to detections, and how well it detects: one model, or two taking turns.

import { stat } from "node:fs/promises";
import type { Dataset } from "../data/dataset/dataset.ts";
import type { SplitName } from "../data/dataset/sample.ts";
import { findImages } from "../data/image/imagePaths.ts";
import type { Detector, OpenDetectorOptions } from "../detector/detector.ts";
import type { DownloadWatch } from "../detector/loadModel.ts";
import { openDetector } from "../detector/open.ts";
import type { DeviceChoice } from "../engine/device.ts";
import { loadAsTrained } from "../eval/data/asTrained.ts";
import { isOnnx } from "../onnx/format.ts";
import type { Recipe } from "../recipe/schema.ts";
import { UserError } from "../util/errors.ts";
import { sha256File } from "../util/files.ts";
import { packagePath } from "../util/package.ts";
import { accuracyOf } from "./accuracy.ts";
import { disturbances, type MachineState, machineState } from "./disturbance.ts";
import { pinEnvironment } from "./environment.ts";
import { deviceName, notesOnModels, notesOnNumbers } from "./notes.ts";
import {
  type Benchmark,
  type Comparison,
  compare,
  describeSetting,
  type Setting,
  type SubjectFacts,
  type SubjectName,
  type Timing,
  timing,
} from "./result.ts";
import { takeTurns } from "./rounds.ts";

export type BenchmarkOptions = {
  /** A run folder, a checkpoint folder, a .safetensors, .pth or .onnx file, or a published name. */
  weights: string;
  /** Another one to take turns with. */
  against?: string | undefined;
  /** Image files, folders and patterns; by default the data set's, else the pictures that come with this package. */
  images?: readonly string[] | undefined;
  /** Folder of a data set: its split gives the images, and AP is measured on it. */
  data?: string | undefined;
  split?: SplitName | undefined;
  /** Images a batch; each number is measured. Default 1. */
  batchSizes?: readonly number[] | undefined;
  /** Threads of the model; each number is measured. Default: all that the runtime would take. */
  threads?: readonly number[] | undefined;
  /** Whether another thread prepares the next images while the model computes. Default: both ways. */
  prefetch?: readonly boolean[] | undefined;
  /** Batches that count. Default 30. */
  rounds?: number | undefined;
  /** Batches before them. Default 5. */
  warmUp?: number | undefined;
  /** In which parts images are looked at. Default: those that each model's weights were trained on, if any. */
  slices?: OpenDetectorOptions["slices"];
  /** Side of the images in pixels, where it shall be another than the model's own. */
  resolution?: number | undefined;
  device?: DeviceChoice | undefined;
  /** What weights are computed in. Default "none", float32. */
  precision?: OpenDetectorOptions["precision"];
  /** Detections that count for AP, an image and class. Default 500. */
  maxDets?: number | undefined;
  /** Of the confidence interval. Default 0. */
  seed?: number | undefined;
  /** The recipe that the weights were trained with, where they do not tell their architecture. */
  recipe?: Recipe | undefined;
  /** Ends the benchmark between two rounds; its reason is thrown. */
  signal?: AbortSignal | undefined;
  onDownload?: DownloadWatch | undefined;
  /** Told what is under way, and how much of it is done. */
  onProgress?: ((what: string, done: number, all: number) => unknown) | undefined;
};

const NAMES: SubjectName[] = ["a", "b"];

/**
 * Measure one model, or two that take turns round by round on the same images. Everything is measured that `batchSizes`,
 * `threads` and `prefetch` name together. Throws a UserError where a model, an image or the data set cannot be read, and
 * where several numbers of threads are asked of weights: libtensorflow takes one a process.
 */
export async function benchmark(options: BenchmarkOptions): Promise<Benchmark> {
  const { weights, against, split = "val", rounds = 30, warmUp = 5, seed = 0, signal, onProgress } = options;
  const { batchSizes = [1], threads = [undefined], prefetch = [false, true] } = options;
  checkNumbers({ rounds, batchSizes, threads: options.threads, resolution: options.resolution }, 1);
  checkNumbers({ warmUp, seed }, 0);
  const names = against === undefined ? [weights] : [weights, against];
  const computed = names.find((name) => !isOnnx(name));
  if (computed !== undefined && threads.length > 1) {
    throw new UserError(`${computed} can be measured with one number of threads at a time.`, {
      hint: "libtensorflow sets up its threads once in a process. Run it once a number; an .onnx file takes several.",
    });
  }
  const dataset = options.data === undefined ? undefined : await loadAsTrained(options.data, weights, { require: [split] }); // biome-ignore format: one line
  const { from, paths } = await imagesOf(options, dataset, split);

  const facts: SubjectFacts[] = [];
  const timings: Timing[] = [];
  const comparisons: Comparison[] = [];
  const accuracy: Benchmark["accuracy"] = [];
  const notes = new Set<string>();
  let before: MachineState | undefined;
  for (const [first, count] of threads.map((count, i) => [i === 0, count] as const)) {
    const subjects = await openAll(names, count, options);
    try {
      if (first) {
        facts.push(...(await Promise.all(subjects.map((subject, i) => factsOf(NAMES[i]!, names[i]!, subject)))));
        for (const note of notesOnModels(subjects)) notes.add(note);
      }
      if (first && dataset)
        for (const [i, subject] of subjects.entries()) {
          const told = (done: number, all: number) => onProgress?.(`AP of ${subject.source}`, done, all);
          accuracy.push({ subject: NAMES[i]!, ...(await accuracyOf(subject, dataset, split, { maxDets: options.maxDets, signal, onImages: told })) }); // biome-ignore format: one line
        }
      before ??= await machineState(); // libraries and models have been read from the disk
      for (const batchSize of batchSizes)
        for (const ahead of prefetch) {
          const setting: Setting = { batch_size: batchSize, threads: count ?? null, prefetch: ahead };
          const turns = await takeTurns(subjects, {
            ...{ paths, batchSize, rounds, warmUp, prefetch: ahead, signal },
            onRound: (done, all) => onProgress?.(describeSetting(setting), done, all),
          });
          turns.forEach((list, i) => {
            timings.push(timing(NAMES[i]!, setting, list));
          });
          if (turns.length === 2) comparisons.push(compare(setting, turns[0]!, turns[1]!, seed));
        }
    } finally {
      await closeAll(subjects);
    }
  }
  if (before) for (const note of disturbances(before, await machineState())) notes.add(note);
  for (const note of notesOnNumbers({ rounds, images: paths.length, most: Math.max(...batchSizes) })) notes.add(note);
  return {
    subjects: facts,
    images: { from, count: paths.length },
    settings: { rounds, warm_up: warmUp, seed },
    timings,
    comparisons,
    accuracy,
    notes: [...notes],
    environment: await pinEnvironment(
      facts.map(({ runtime }) => runtime),
      paths,
    ),
  };
}

async function openAll(
  names: readonly string[],
  threads: number | undefined,
  options: BenchmarkOptions,
): Promise<Detector[]> {
  const { device = "auto", precision = "none", resolution, recipe, onDownload, rounds = 30, warmUp = 5 } = options;
  const { batchSizes = [1], slices } = options;
  const subjects: Detector[] = [];
  const batches = warmUp < 3 ? 1 : warmUp + rounds; // the first three of many would take longer than the others
  try {
    for (const name of names) {
      const own = isOnnx(name) ? "auto" : device; // weights on a GPU may be measured against a file on the processor
      subjects.push(
        await openDetector(name, {
          device: own,
          precision: isOnnx(name) && !names.every(isOnnx) ? "none" : precision,
          threads,
          resolution,
          recipe,
          onDownload,
          batches,
          batchSizes,
          slices,
        }),
      );
    }
    return subjects;
  } catch (cause) {
    await closeAll(subjects);
    throw cause;
  }
}

async function closeAll(subjects: readonly Detector[]): Promise<void> {
  for (const subject of subjects) await subject.close();
}

async function imagesOf({ images, data }: BenchmarkOptions, dataset: Dataset | undefined, split: SplitName) {
  if (!images && dataset) {
    const { samples } = dataset.splits[split]!;
    return { from: `${data}, ${split}`, paths: samples.map(({ path }) => path) };
  }
  const from = images ?? [packagePath("datasets/trees/valid")];
  const { paths, missing } = await findImages(from);
  if (missing[0]) throw missing[0].error;
  return { from: images ? images.join(", ") : "pictures of this package (datasets/trees/valid)", paths };
}

async function factsOf(subject: SubjectName, weights: string, opened: Detector): Promise<SubjectFacts> {
  const { kind, source, file, resolution, nativeResolution, runtime, device, loadMs, slices } = opened;
  const [{ size }, sha256] = await Promise.all([stat(file), sha256File(file)]);
  return {
    ...{ subject, weights, kind, source, file, bytes: size, sha256 },
    ...{ resolution, native_resolution: nativeResolution, runtime, device: deviceName(device), load_ms: loadMs },
    ...(slices && { slices }),
  };
}

function checkNumbers(values: Record<string, number | readonly (number | undefined)[] | undefined>, least: number) {
  for (const [name, value] of Object.entries(values))
    for (const one of [value].flat())
      if (one !== undefined && !(Number.isInteger(one) && one >= least))
        throw new UserError(`${name} is ${one}; it must be a whole number from ${least}.`);
}
