// Where rows and pictures go besides metrics.jsonl: the shape that TensorBoard and W&B share.

import type { Environment } from "../run/environment.ts";
import type { EndStatus, MetricsRow } from "../run/events.ts";
import type { Histogram } from "../util/histogram.ts";

/**
 * A place that a run is shown in. No method throws or waits for anything: trouble is reported through `onNotice`, and
 * training goes on.
 */
export type Tracker = {
  /** A row that has been appended to metrics.jsonl. */
  row(row: MetricsRow): void;
  /** Pictures of an evaluation, labels beside predictions. */
  pictures(at: { step: number; epoch: number }, pictures: readonly TrackedPicture[]): void;
  /** Histograms of gradients by the path of the weight. */
  histograms(at: { step: number }, histograms: ReadonlyMap<string, Histogram>): void;
  /** The run has ended. Returns within a bounded time. */
  close(status: EndStatus | "failed"): Promise<void>;
};

/** An encoded picture; width and height in pixels. `name` stays the same from one evaluation to the next. */
export type TrackedPicture = {
  name: string;
  caption: string;
  format: "jpeg" | "png";
  data: Uint8Array;
  width: number;
  height: number;
};

export type TrackerOptions = {
  /** The run's folder. */
  dir: string;
  /** The run's name. */
  name: string;
  /** The resolved recipe as plain data. */
  recipe: unknown;
  environment: Environment;
  /** Updates done where the run starts or goes on; rows of later steps have been cut from metrics.jsonl. */
  step: number;
  /** Takes what people should know; it goes to the log, too. `debug` is for those who look for a fault. */
  onNotice(message: string, level: "debug" | "info" | "warn"): void;
};
