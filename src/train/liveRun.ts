// A run that is under way: what is made from its recipe, its open files, and where it stands.

import type { DiskReserve } from "../checkpoint/store/reserve.ts";
import type { ClassEntry, Split } from "../data/dataset/sample.ts";
import type { Workers } from "../distributed/workers.ts";
import type { OperatingPoint } from "../instance/operating/point.ts";
import type { Loader } from "../loading/batch/loader.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { Environment } from "../run/environment.ts";
import type { EndStatus, RunSize, TrainEvent } from "../run/events.ts";
import type { Log } from "../run/log.ts";
import type { MetricsFile } from "../run/records/metricsFile.ts";
import type { SplitRecord } from "../run/records/split.ts";
import type { Learner } from "../step/learner.ts";
import type { Schedule } from "../step/optimiser/schedule.ts";
import type { StepSettings } from "../step/step.ts";
import type { Tracker } from "../track/tracker.ts";
import type { Fact } from "../util/text/fact.ts";
import type { Progress } from "./progress.ts";
import type { Staging } from "./stages/stages.ts";

/** What a run is tested on at its end, with the classes of the data set. */
export type TestImages = { split: Split; classes: readonly ClassEntry[] };

/** What a recipe comes to on this machine. */
export type Parts = {
  /** Who trains: this process, and others of which only the first writes the run's folder. */
  workers: Workers;
  /** Batches that this process computes of each step. */
  ownBatches: number;
  learner: Learner;
  trainLoader: Loader;
  valLoader: Loader;
  valSplit: Split;
  /** Null where the run is not tested. */
  testImages: TestImages | null;
  /** Which images are held back for validation, where the data set has no val split; as split.json has it. */
  heldBack: SplitRecord | null;
  classes: ClassEntry[];
  /** What so many images from the start on have shown of each class, where the recipe orders them by class; for people. */
  shown(images: number): Fact[];
  schedule: Schedule;
  staging: Staging;
  stepSettings: StepSettings;
  size: RunSize;
  /** What they are, for people. */
  facts: Fact[];
  environment: Environment;
  /** Text metadata of the weights files of a checkpoint. */
  metadata(at: { epoch: number; step: number; operatingPoint?: OperatingPoint | undefined }): Record<string, string>;
};

/** All that the loop works with; `progress` and what `learner` holds change as it goes. */
export type Run = Parts & {
  dir: string;
  recipe: Recipe;
  progress: Progress;
  metrics: MetricsFile;
  log: Log;
  reserve: DiskReserve;
  tracker: Tracker;
  /** Train and evaluate on this many images only. */
  overfit: number | null;
  /** Seconds of training so far, those before a stop included. */
  seconds(): number;
  end(status: EndStatus): TrainEvent;
};
