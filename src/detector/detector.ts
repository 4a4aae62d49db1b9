// What can detect objects, whatever it runs in: images in host memory in, detections in pixels of the originals out.

import type { ClassEntry } from "../data/dataset/sample.ts";
import type { DeviceChoice } from "../engine/device.ts";
import type { ImageDetections, Sizes } from "../instance/detections.ts";
import type { OperatingPoint } from "../instance/operating/point.ts";
import type { Slices } from "../instance/slices/layout.ts";
import type { Precision } from "../ops/bf16/precision.ts";
import { UserError } from "../util/errors.ts";
import { allFinite } from "../util/hostTensor.ts";
import type { LoadModelOptions } from "./loadModel.ts";
import type { AskedSlices } from "./slices/choose.ts";

/** images: float32 [count, resolution, resolution, 3], normalised. */
export type DetectInput = { images: Float32Array; originalSizes: Sizes } & SelectOptions;

/** `maskFrom`: the least score of which a segmenter makes a mask, default all. */
type SelectOptions = { maskFrom?: number | undefined };

/** The way of images through a model, in two stages. `Outputs`: what lies between them, in the runtime's own form. */
export type Detecting<Outputs = unknown> = {
  /**
   * The model's own work, finished when the promise resolves. pixels: float32 [count, resolution, resolution, 3], normalised;
   * sizes: of the original images, which some models need already here. What it gives has to go to `select` once.
   */
  forward(pixels: Float32Array, sizes: Sizes): Promise<Outputs>;
  /** The best detections of each image, in pixels of the originals. Frees the outputs. */
  select(outputs: Outputs, sizes: Sizes, options?: SelectOptions): ImageDetections[] | Promise<ImageDetections[]>;
};

export type Detector<Outputs = unknown> = Detecting<Outputs> & {
  kind: "weights" | "onnx";
  /** Side of the square images that it takes, in pixels. */
  resolution: number;
  /** The side that it was trained with, or that its file has. */
  nativeResolution: number;
  /** The labels that mean something; a detection with any other label is of no class. */
  classes: ClassEntry[];
  /** Detections that it gives of an image at most. */
  numSelect: number;
  /** The score from which detections shall count, where the file itself says it. */
  threshold: number | undefined;
  /** The same for each class, with the precision and recall to expect, where the file says it. */
  operatingPoint: OperatingPoint | undefined;
  /** The parts in which it looks at pictures: those asked for, else those that it was trained on; undefined: at whole ones only. */
  slices: Slices | undefined;
  /** Where the weights are from, for people. */
  source: string;
  /** The file that was loaded. */
  file: string;
  /** What it runs in, with its version. */
  runtime: string;
  device: { kind: "cpu" | "gpu"; name: string; warning: string | undefined };
  /** Of an operation; undefined: the runtime's own choice. */
  threads: number | undefined;
  /** Milliseconds from the file to a model that is ready. */
  loadMs: number;
  /** Both stages, one after the other. */
  detect(input: DetectInput): Promise<ImageDetections[]>;
  close(): Promise<void>;
};

export type OpenDetectorOptions = LoadModelOptions & {
  /** Default "auto". */
  device?: DeviceChoice;
  /** Threads of an operation; default: as many as the runtime takes. libtensorflow sets them up once in a process. */
  threads?: number;
  /** What weights are computed in; default "none", float32. An ONNX file has its own. */
  precision?: Precision;
  /** Side of the images in pixels, where it shall be another than the model's own. */
  resolution?: number;
  /** Batches of the same size that will come, where that is known: of many, the first ones are used to make the others quicker. */
  batches?: number;
  /** Numbers of images that will be given at once. An ONNX file is tried with them first, and gets other numbers one by one. */
  batchSizes?: readonly number[];
  /** In which parts pictures are looked at. Default: those that it was trained on, if any. */
  slices?: AskedSlices | undefined;
  /** How many parts of pictures are given at once, where these are looked at in parts; default: as `batchSizes`. */
  partsAtOnce?: number;
};

/**
 * The same detections. Throws a UserError where a score or a box is no finite number: to leave them out would look as if
 * nothing had been found.
 */
export function requireNumbers(detections: ImageDetections[], source: string): ImageDetections[] {
  if (detections.every(({ scores, boxes }) => allFinite(scores) && allFinite(boxes))) return detections;
  throw new UserError(`${source} gives scores or boxes that are not finite numbers.`, {
    hint: "Its weights hold very large numbers, or the file is damaged. Use an earlier checkpoint, or export it again.",
  });
}

/** Both stages of a model, one after the other. */
export async function detectWith<Outputs>(
  { forward, select }: Detecting<Outputs>,
  { images, originalSizes, maskFrom }: DetectInput,
): Promise<ImageDetections[]> {
  return select(await forward(images, originalSizes), originalSizes, { maskFrom });
}
