// What is measured: a model in some runtime, and what there is to say of it.

import type { Rgb } from "../data/decode.ts";
import type { ClassEntry } from "../data/sample.ts";
import type { DetectInput } from "../model/detect.ts";
import type { ImageDetections } from "../model/postprocess.ts";
import type { Pipeline } from "./rounds.ts";

export type Subject = {
  /** As it was asked for. */
  name: string;
  kind: "weights" | "onnx";
  /** Where the weights are from, for people. */
  source: string;
  /** The file that was loaded. */
  file: string;
  /** Side of the square images that it is measured with, in pixels, and the one that it was trained with. */
  side: number;
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
  /** The detections of images of `side` pixels, prepared as for an evaluation. */
  detect(batch: DetectInput): Promise<ImageDetections[]>;
  close(): Promise<void>;
};

/** Images as squares, one after the other. `resize` gives the values of one. */
export function squares(
  images: readonly Rgb[],
  side: number,
  resize: (image: Rgb, width: number, height: number) => Float32Array,
): Float32Array {
  const [only] = images;
  if (images.length === 1) return resize(only!, side, side);
  const all = new Float32Array(images.length * side * side * 3);
  for (const [i, image] of images.entries()) all.set(resize(image, side, side), i * side * side * 3);
  return all;
}
