// What a training run says about itself while it goes: rows of metrics.jsonl, and what else a program around it may show.

import type { MetricSummary } from "../instance/metrics.ts";
import type { Fact } from "../util/text/fact.ts";

/** When a row was made, as ISO 8601 in UTC; rows of older versions do not say. */
type RowTime = string;

/**
 * One optimizer update. The losses are those of its images, under the reference's names (loss_ce, loss_bbox, loss_giou,
 * the same with _0, _1, ... and _enc). `grad_norm` is the norm before clipping, `lr` and `lr_encoder` the recipe's rates
 * times the schedule's factor and the stage's lr_factor (0 where no weight of the encoder, or none but those, trains),
 * `data_wait` the share of the step's time that it waited for images, from 0 to 1. Steps count from 1, epochs from 0.
 */
export type TrainRow = {
  step: number;
  epoch: number;
  split: "train";
  time?: RowTime;
  loss: number;
  [term: `loss_${string}`]: number;
  [term: `cardinality_error${string}`]: number;
  class_error: number;
  grad_norm: number;
  lr: number;
  lr_encoder: number;
  images_per_second: number;
  data_wait: number;
  /** In the row of an epoch's last step: the means of its steps. */
  epoch_mean?: EpochMean;
};

/** Means over `steps` steps of an epoch, those that were skipped left out, of all but what measures time. */
export type EpochMean = { steps: number; loss: number; [name: string]: number };

/** COCO metrics of a split; null where nothing could be measured. `per_class`: the main metric by the name of the class. */
type EvaluatedRow = {
  step: number;
  epoch: number;
  time?: RowTime;
  /** Images that could not be read, where there were any: the metrics are of the others. */
  unread?: number;
  /** AP of small, medium and large boxes; precision and recall at the threshold of the best F1. Older rows lack them. */
  APs?: number | null;
  APm?: number | null;
  APl?: number | null;
  F1?: number | null;
  precision?: number | null;
  recall?: number | null;
  per_class: Record<string, number | null>;
} & MetricSummary<number | null>;

/** Of the validation images after `step` updates. */
export type ValRow = { split: "val" } & EvaluatedRow & Partial<ValidationLosses>;

/** The loss on the validation images and its terms, named as those of training; absent where eval.loss is off, and in older rows. */
export type ValidationLosses = { val_loss: number | null; [term: `val_loss_${string}`]: number | null };

/**
 * Of the test images, with the best weights, once the run is done. `step` and `epoch` are those of its end, `best_step` the updates that
 * these weights had. `precision`, `recall` and `F1` are of all boxes together, at the thresholds stored with the weights.
 */
export type TestRow = { split: "test"; best_step: number } & EvaluatedRow;

/** A line of metrics.jsonl. */
export type MetricsRow = TrainRow | ValRow | TestRow;

/** How long a run is, in optimizer steps, and where it stood when it (re)started. */
export type RunSize = {
  epochs: number;
  stepsPerEpoch: number;
  totalSteps: number;
  stepsDone: number;
  imagesPerStep: number;
};

export type TrainEvent =
  /** Published weights come in, before the run starts; `total` is unknown where the server does not say. In bytes. */
  | { type: "download"; name: string; received: number; total: number | undefined }
  /** A download broke off and begins again. */
  | { type: "retry"; name: string; reason: string }
  /** The first event of the run itself; `run` is the run's folder, `facts` are about weights, data and device, for people. */
  | { type: "start"; run: string; facts: Fact[]; size: RunSize }
  /** After every update, whether or not its row goes to metrics.jsonl. */
  | { type: "step"; row: TrainRow }
  /** A line that was added to metrics.jsonl. */
  | { type: "row"; row: MetricsRow }
  /** Something to tell people, such as a step that was skipped. */
  | {
      type: "warning";
      message: string /** Why an export was not written, without what to do about it. */;
      refused?: string;
    }
  /** Something that happened as it should, such as early stopping. */
  | { type: "notice"; message: string /** The ONNX file that was exported. */; exported?: string }
  /** For those who look for a fault. */
  | { type: "debug"; message: string }
  /** Validation begins, or, of `split` "test", the evaluation of the best weights at the end; it takes a while. */
  | { type: "evaluating"; epoch: number; images: number; split?: "test" }
  | { type: "checkpoint"; name: string; best: boolean }
  /** The last event. `best`: the best score so far, of `metric`. */
  | { type: "end"; status: EndStatus; run: string; step: number; best: number | null; metric: string };

/**
 * How a run ended. `interrupted`: by the signal, after a whole step; `resume` continues. `out-of-time`: train.max_hours are
 * used up; `extend` gives more.
 */
export type EndStatus = "done" | "interrupted" | "out-of-time";
