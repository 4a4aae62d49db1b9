// An exported file against the model that it was made of, on images from the disk.

import { spread } from "../../data/dataset/sample.ts";
import { type HostModel, type Model, placeModel } from "../../detector/loadModel.ts";
import { openOnnxDetector } from "../../detector/onnx.ts";
import { isBackendLoaded } from "../../engine/backend.ts";
import { selectDevice } from "../../engine/device.ts";
import { alignClasses } from "../../eval/evaluate.ts";
import { evaluationLoader } from "../../loading/batch/evaluationLoader.ts";
import { UserError } from "../../util/errors.ts";
import type { ExportOptions } from "../options.ts";
import type { ExportPictures } from "../pictures.ts";
import { fault, TOLERANCE, type Verification, verify } from "./verify.ts";

/** The model with the trainer's own forward. `exact`: not on a GPU, which multiplies with fewer digits. */
export type Trainer = Model & { exact: boolean };

/** On the processor, unless this process computes elsewhere already. */
export function place(model: HostModel): Trainer {
  const { kind } = selectDevice(isBackendLoaded() ? "auto" : "cpu");
  return { ...placeModel(model), exact: kind === "cpu" };
}

/** What AP may differ by where the trainer's forward runs on a GPU. */
const GPU_AP = 0.01;

/** Throws a UserError where an exact file is beyond the tolerance. */
export async function verifyFile(
  trainer: Trainer,
  path: string,
  {
    pictures,
    images = 16,
    exact,
    name,
    signal,
    onProgress,
  }: Pick<ExportOptions, "images" | "signal" | "onProgress"> & {
    pictures: ExportPictures;
    exact: boolean;
    name: string;
  },
): Promise<Verification> {
  const detector = await openOnnxDetector(path, { trusted: true });
  const split = spread(pictures.split, images);
  const { resolution } = trainer.architecture;
  const loader = evaluationLoader(split, { resolution });
  try {
    const { classes } = pictures;
    // A GPU multiplies with fewer digits, so that proposals come in another order there: only AP can be compared then.
    const slots = exact && trainer.exact;
    const verified = await verify(trainer, detector, {
      batches: loader.epoch(0),
      slots,
      ...(classes && {
        labels: {
          samples: split.samples,
          polygons: split.polygons,
          classes,
          categoryOf: alignClasses(trainer.classes, classes, trainer.source).categoryOf,
        },
      }),
      onImages: (done) => {
        signal?.throwIfAborted();
        onProgress?.(`verifying ${name}`, done, split.samples.length);
      },
    });
    const wrong = fault(verified, !exact ? Number.POSITIVE_INFINITY : trainer.exact ? TOLERANCE.ap : GPU_AP);
    if (wrong !== undefined) {
      throw new UserError(`The ONNX file does not agree with its weights: ${wrong}. It was not written.`, {
        hint: "Weights with numbers that are not finite or very large do this; otherwise please report it.",
      });
    }
    return verified;
  } finally {
    await loader.close();
    await detector.close();
  }
}
