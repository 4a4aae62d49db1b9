// Weights as a detector, computed by libtensorflow.

import type { Architecture } from "../architecture/variants.ts";
import { selectDevice } from "../engine/device.ts";
import { createRecorder, type Recorder } from "../engine/recording/recorder.ts";
import { limitThreads } from "../engine/threads.ts";
import { forwardImages, selectDetections } from "../model/detect.ts";
import type { Outputs, RfdetrWeights } from "../model/rfdetr.ts";
import type { Precision } from "../ops/bf16/precision.ts";
import { UserError } from "../util/errors.ts";
import { type Detecting, type Detector, detectWith, type OpenDetectorOptions, requireNumbers } from "./detector.ts";
import { loadModel } from "./loadModel.ts";
import { chooseSlices } from "./slices/choose.ts";

/** From so many batches of one size on it pays to record the network in the first two. */
const PAYS_FROM = 6;

/** Load weights of any kind onto the device. Throws as `loadModel`, and a UserError for a side that the model cannot take. */
export async function openWeights(weights: string, options: OpenDetectorOptions): Promise<Detector<Outputs>> {
  const { threads, precision = "none" } = options;
  if (threads !== undefined) limitThreads(threads);
  const device = selectDevice(options.device ?? "auto");
  const begin = performance.now();
  const { dispose, ...model } = await loadModel(weights, options);
  const loadMs = performance.now() - begin;
  const nativeResolution = model.architecture.resolution;
  const resolution = options.resolution ?? nativeResolution;
  const block = model.architecture.patchSize * model.architecture.numWindows;
  let slices: Detector["slices"];
  try {
    if (resolution % block !== 0)
      throw new UserError(
        `The resolution ${resolution} does not fit ${model.source}: it must be a multiple of ${block}.`,
      );
    slices = chooseSlices(options.slices, { slices: model.slices, source: model.source });
  } catch (error) {
    dispose();
    throw error;
  }
  const many = slices !== undefined || (options.batches ?? 1) >= PAYS_FROM;
  const recorder = many ? createRecorder() : undefined;
  const { forward, select } = detectingWith(
    model.weights,
    { ...model.architecture, resolution },
    { recorder, precision },
  );
  const detecting: Detecting<Outputs> = {
    forward,
    select: async (outputs, sizes, options) => requireNumbers(await select(outputs, sizes, options), model.source),
  };
  return {
    ...{ kind: "weights", resolution, nativeResolution, threads, loadMs },
    ...{ classes: model.classes, source: model.source, file: model.path, slices },
    ...{ threshold: model.operatingPoint?.threshold, operatingPoint: model.operatingPoint },
    numSelect: model.architecture.numSelect,
    runtime: `libtensorflow ${device.tensorflow}${precision === "bf16" ? " in bfloat16" : ""}`,
    device: { kind: device.kind, name: device.name, warning: device.warning },
    ...detecting,
    detect: (input) => detectWith(detecting, input),
    close: async () => {
      recorder?.dispose();
      dispose();
    },
  };
}

/** Weights that are on the device, for images of the architecture's resolution. They and the recorder stay the caller's. */
export function detectingWith(
  weights: RfdetrWeights,
  architecture: Architecture,
  { recorder, precision }: { recorder?: Recorder | undefined; precision?: Precision | undefined } = {},
): Detecting<Outputs> {
  const { resolution: side, numSelect } = architecture;
  return {
    forward: (pixels, { length }) =>
      forwardImages(weights, architecture, { images: pixels, shape: [length, side, side, 3] }, { recorder, precision }),
    select: (outputs, sizes, options) => selectDetections(outputs, sizes, numSelect, options),
  };
}
