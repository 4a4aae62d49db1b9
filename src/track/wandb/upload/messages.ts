// What goes between a training and the thread that sends it to W&B: settings and orders to it, reports from it.

import type { Histogram } from "../../../util/histogram.ts";
import type { TrackedPicture } from "../../tracker.ts";
import type { WandbTiming } from "../client/timing.ts";
import type { PictureOnDisk } from "../folder/pictures.ts";

export type UploadSettings = {
  /** The run's folder. */
  dir: string;
  name: string;
  config: Record<string, unknown>;
  wandb: { project: string; entity: string | null };
  /** The metric that says which evaluation is the best, and the epoch (from 0) of which on they count. */
  metric: string;
  from: number;
  /** `live`: a run that is being trained. `replay`: one that is there. `keep`: nothing is sent, pictures are kept for later. */
  mode: "live" | "replay" | "keep";
  /** Updates done where a live run starts or goes on. */
  step: number;
  /** When a replayed run began and ended, in milliseconds since 1970. */
  times?: { started: number; ended: number } | undefined;
  /** Pictures of steps up to that one; default: those that were kept. */
  pictures?: PictureOnDisk[] | undefined;
  timing: WandbTiming;
};

export type UploadOrder =
  /** metrics.jsonl has a row of this step, and there may be no more of earlier ones. */
  | { type: "row"; step: number }
  | { type: "pictures"; step: number; pictures: readonly TrackedPicture[] }
  | { type: "histograms"; step: number; histograms: ReadonlyMap<string, Histogram> }
  /** No row follows. `exitCode` null leaves the run open; `goesOn`: its last step may get an evaluation later. */
  | { type: "close"; exitCode: number | null; goesOn: boolean };

export type UploadReport =
  | { type: "notice"; message: string; level: "debug" | "info" | "warn" }
  /** The server has not answered for a while; it answers again. */
  | { type: "silent" | "answers"; message: string }
  /** Nothing is sent any more. */
  | { type: "off"; message: string; hint: string }
  | { type: "open"; page: string; lastStep: number }
  | { type: "progress"; rows: number }
  /** The last report. `sent`: the server has everything; `rows`: how many it was sent. */
  | { type: "closed"; sent: boolean; rows: number; page: string | null };
