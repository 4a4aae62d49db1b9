// What a training run says about itself: the rows of metrics.jsonl, and everything else that a program around it shows.

/**
 * One optimizer update. The losses are those of its images, under the reference's names (loss_ce, loss_bbox, loss_giou,
 * the same with _0, _1, ... and _enc). `grad_norm` is the norm before clipping, `lr` and `lr_encoder` the recipe's rates
 * times the schedule's factor, `data_wait` the seconds that the step waited for its images. Steps count from 1, epochs
 * from 0.
 */
export type TrainRow = {
  step: number;
  epoch: number;
  split: "train";
  loss: number;
  [term: `loss_${string}`]: number;
  [term: `cardinality_error${string}`]: number;
  class_error: number;
  grad_norm: number;
  lr: number;
  lr_encoder: number;
  images_per_second: number;
  data_wait: number;
};

/** COCO metrics on the validation images after `step` updates; `per_class`: AP50:95 by class name, null without boxes. */
export type ValRow = {
  step: number;
  epoch: number;
  split: "val";
  "AP50:95": number;
  AP50: number;
  AP75: number;
  AR: number;
  per_class: Record<string, number | null>;
};

/** A line of metrics.jsonl. */
export type MetricsRow = TrainRow | ValRow;

/** Where a run stands and how long it is, in optimizer steps. */
export type RunSize = {
  epochs: number;
  stepsPerEpoch: number;
  /** Steps of the whole run, and those already done when it (re)started. */
  totalSteps: number;
  stepsDone: number;
  imagesPerStep: number;
};

export type TrainEvent =
  /** The first event; `run` is the run's folder, `facts` lines for people about weights, data and device. */
  | { type: "start"; run: string; facts: string[]; size: RunSize }
  /** After every update, whether or not its row goes to metrics.jsonl. */
  | { type: "step"; row: TrainRow }
  /** A line that was added to metrics.jsonl. */
  | { type: "row"; row: MetricsRow }
  /** Something to tell people, such as a step that was skipped. */
  | { type: "warning"; message: string }
  /** Validation begins; it takes a while. */
  | { type: "evaluating"; epoch: number; images: number }
  | { type: "checkpoint"; name: string; best: boolean }
  /** The last event. `interrupted`: stopped by the signal after a whole step; `resume` continues. */
  | { type: "end"; status: "done" | "interrupted"; run: string; step: number; best: number | null };
