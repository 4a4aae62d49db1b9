// A detector from whatever names its weights: the one place that knows which runtime takes what.

import { isOnnx } from "../onnx/format.ts";
import type { Detector, OpenDetectorOptions } from "./detector.ts";

/** By kind, each loaded with its runtime when it is first needed: an ONNX file needs no libtensorflow, and weights no onnxruntime. */
const OPEN = {
  weights: async () => (await import("./weights.ts")).openWeights,
  onnx: async () => (await import("./onnx.ts")).openOnnxDetector,
} satisfies Record<Detector["kind"], unknown>;

/**
 * Make weights of any kind ready to detect: all that `loadModel` takes, or an .onnx file. Throws a UserError where they
 * cannot be read, cannot take such images, or a GPU is asked for and not to be had.
 */
export async function openDetector(weights: string, options: OpenDetectorOptions = {}): Promise<Detector> {
  const open = await OPEN[isOnnx(weights) ? "onnx" : "weights"]();
  return open(weights, options);
}
