// What an export can be asked for.

import type { SplitName } from "../data/dataset/sample.ts";
import type { LoadModelOptions } from "../detector/loadModel.ts";
import type { ExportPictures } from "./pictures.ts";

export type ExportOptions = LoadModelOptions & {
  /** A run folder, a checkpoint folder, a .safetensors or .pth file, or a published name. */
  weights: string;
  /** The plain file, .onnx; others get a word before the extension. */
  out: string;
  /** 18 by default, which onnxruntime-web supports best; 17 for older runtimes. */
  opset?: 17 | 18 | undefined;
  /** Images a run: any number of them by default. */
  batch?: number | "dynamic" | undefined;
  /** Side of the input in pixels, where it shall be another than the model's own. */
  resolution?: number | undefined;
  /** Scores, labels and boxes in pixels instead of logits and normalised boxes. */
  decode?: boolean | undefined;
  /** Another file beside the plain one, of operations that only onnxruntime has: fewer, so that it loads faster. */
  optimize?: boolean | undefined;
  /**
   * Another file beside the plain one, with numbers of fewer bits. `fp16` is half the size and for GPUs and WebGPU; `int8` is
   * for processors: a third of the size, and faster, calibrated on training images of the run or of `data` where there are
   * any. Their AP and latency stand beside the plain file's.
   */
  precision?: "fp32" | "fp16" | "int8" | undefined;
  /** Data set and split to verify on; by default those of the run that the weights lie in. */
  data?: string | undefined;
  split?: SplitName | undefined;
  /** The images to verify on, instead of finding them. */
  pictures?: ExportPictures | undefined;
  /** How many of them. Default 16. */
  images?: number | undefined;
  /** Ends the export between two images; its reason is thrown. */
  signal?: AbortSignal | undefined;
  onProgress?: ((what: string, done: number, all: number) => unknown) | undefined;
};
