// Weights under measurement, computed by libtensorflow as `predict` and `evaluate` do.

import { existsSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { fetchPublished } from "../checkpoint/published.ts";
import { weightsAt } from "../checkpoint/weightsFolder.ts";
import { type DownloadWatch, loadModel } from "../detector/loadModel.ts";
import { type DeviceChoice, selectDevice } from "../engine/device.ts";
import { limitThreads } from "../engine/threads.ts";
import { postprocess } from "../model/postprocess.ts";
import { rfdetr } from "../model/rfdetr.ts";
import type { Recipe } from "../recipe/schema.ts";
import { UserError } from "../util/errors.ts";
import type { Pipeline } from "./rounds.ts";
import type { Subject } from "./subject.ts";

export type WeightsOptions = {
  device: DeviceChoice;
  threads: number | undefined;
  /** Side of the images; the model's own where it is not given. */
  resolution: number | undefined;
  recipe?: Recipe | undefined;
  onDownload?: DownloadWatch | undefined;
};

/** Load weights of any kind onto the device. Throws as `loadModel`, and a UserError for a side that the model cannot take. */
export async function openWeights(name: string, options: WeightsOptions): Promise<Subject> {
  if (options.threads !== undefined) limitThreads(options.threads);
  const device = selectDevice(options.device);
  const file = existsSync(name) ? await weightsAt(name) : undefined;
  const begin = performance.now();
  const model = await loadModel(name, options);
  const loadMs = performance.now() - begin;
  const native = model.architecture.resolution;
  const side = options.resolution ?? native;
  const block = model.architecture.patchSize * model.architecture.numWindows;
  if (side % block !== 0) {
    model.dispose();
    throw new UserError(`The resolution ${side} does not fit ${model.source}: it must be a multiple of ${block}.`);
  }
  const architecture = { ...model.architecture, resolution: side };
  const pipeline: Pipeline = {
    side,
    forward: async (pixels, sizes) => {
      const outputs = tf.tidy(() => {
        const images = tf.tensor4d(pixels, [sizes.length, side, side, 3]);
        return rfdetr(model.weights, architecture, images, { training: false }).layers.at(-1)!;
      });
      // One number read back: a GPU would otherwise still be at work when the clock is read.
      const corner = tf.tidy(() => tf.slice(outputs.boxes, [0, 0, 0], [1, 1, 1]));
      await corner.data();
      corner.dispose();
      return async () => {
        try {
          return await postprocess(outputs, sizes, architecture.numSelect);
        } finally {
          tf.dispose([outputs.logits, outputs.boxes]);
        }
      };
    },
  };
  return {
    ...{ name, kind: "weights", source: model.source, native, loadMs, threads: options.threads, pipeline },
    file: file ?? (await fetchPublished(name)),
    runtime: `libtensorflow ${device.tensorflow}`,
    device: device.kind === "gpu" ? device.name : "cpu",
    warning: device.warning,
    classes: model.classes,
    detect: async ({ images, originalSizes }) => (await pipeline.forward(images, originalSizes))(),
    close: async () => model.dispose(),
  };
}
