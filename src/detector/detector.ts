// Whatever can detect objects, behind one type: weights in the engine, or an ONNX file in onnxruntime.

import type { ClassEntry } from "../data/dataset/sample.ts";
import { type DeviceChoice, selectDevice } from "../engine/device.ts";
import type { ImageDetections } from "../instance/detections.ts";
import { type DetectInput, detectObjects } from "../model/detect.ts";
import { isOnnx, openDetector } from "../onnx/detector.ts";
import { UserError } from "../util/errors.ts";
import { type LoadModelOptions, loadModel } from "./loadModel.ts";

export type Detector = {
  /** Side of the square input, in pixels. */
  resolution: number;
  /** The labels that mean something; a detection with any other label is of no class. */
  classes: ClassEntry[];
  /** Where the weights are from, for people. */
  source: string;
  device: { kind: "cpu" | "gpu"; name: string; warning: string | undefined };
  /** The best detections of each image, in pixels of the originals. */
  detect(input: DetectInput): Promise<ImageDetections[]>;
  close(): Promise<void>;
};

/**
 * Make weights of any kind ready to detect: all that `loadModel` takes, or an .onnx file, for which the engine is neither
 * needed nor loaded. Throws a UserError where they cannot be read, or a GPU is asked for and not to be had.
 */
export async function loadDetector(
  weights: string,
  { device = "auto", ...options }: LoadModelOptions & { device?: DeviceChoice | undefined } = {},
): Promise<Detector> {
  if (isOnnx(weights)) return loadOnnx(weights, device);
  const used = selectDevice(device);
  const model = await loadModel(weights, options);
  return {
    resolution: model.architecture.resolution,
    classes: model.classes,
    source: model.source,
    device: used,
    detect: (input) => detectObjects(model.weights, model.architecture, input),
    close: async () => model.dispose(),
  };
}

async function loadOnnx(path: string, device: DeviceChoice): Promise<Detector> {
  if (device === "gpu") {
    throw new UserError(`device: gpu was asked for, but ONNX files such as ${path} are computed on the CPU here.`, {
      hint: "Leave the device out, or give the weights that the file was exported from.",
    });
  }
  const { resolution, classes, detect, close, session } = await openDetector(path);
  const name = `CPU, onnxruntime, ${session.threads} thread${session.threads === 1 ? "" : "s"}`;
  return { resolution, classes, source: path, device: { kind: "cpu", name, warning: undefined }, detect, close };
}
