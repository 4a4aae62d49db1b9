// What is measured: a model in some runtime, and what there is to say of it.

import type { ClassEntry } from "../data/dataset/sample.ts";
import type { ImageDetections } from "../instance/detections.ts";
import type { DetectInput } from "../model/detect.ts";
import type { Pipeline } from "./rounds.ts";

export type Subject = {
  /** As it was asked for. */
  name: string;
  kind: "weights" | "onnx";
  /** Where the weights are from, for people. */
  source: string;
  /** The file that was loaded. */
  file: string;
  /** Side that it was trained with, in pixels; `pipeline` has the one that it is measured with. */
  native: number;
  runtime: string;
  /** "cpu" or the name of the GPU. */
  device: string;
  /** Of an operation; undefined: the runtime's own choice. */
  threads: number | undefined;
  /** Milliseconds from the file to a model that is ready. */
  loadMs: number;
  /** A GPU that is there and idle. */
  warning: string | undefined;
  classes: ClassEntry[];
  pipeline: Pipeline;
  /** The detections of images of the pipeline's side, prepared as for an evaluation. */
  detect(batch: DetectInput): Promise<ImageDetections[]>;
  close(): Promise<void>;
};
