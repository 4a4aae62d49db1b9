// Thresholds of a file that rounds: its scores are not quite those of its weights, so they are chosen on what it finds itself.

import { spread } from "../../data/dataset/sample.ts";
import { openOnnxDetector } from "../../detector/onnx.ts";
import { evaluateSplit, matchedClasses } from "../../eval/data/evaluateSplit.ts";
import { operatingPoint } from "../../eval/operating/operatingPoint.ts";
import type { OperatingPoint } from "../../instance/operating/point.ts";
import type { ExportOptions } from "../options.ts";
import type { ExportPictures } from "../pictures.ts";

/** Validation images that are looked at. */
const IMAGES = 500;

/** Of the samples that intervals are made of: the same file always gets the same ones. */
const SEED = 7;

/** Pictures by which thresholds can be chosen: labelled ones of validation, never of test. */
export function canChoose({ split, classes }: ExportPictures): boolean {
  return split.name === "val" && classes !== undefined;
}

/**
 * The operating point of a file that this program has just written, by the rule of its weights; undefined where it finds nothing in
 * the pictures, which `canChoose`.
 */
export async function ownPoint(
  path: string,
  { rule }: Pick<OperatingPoint, "rule">,
  { pictures, name, signal, onProgress }: Pick<ExportOptions, "signal" | "onProgress"> & { pictures: ExportPictures; name: string }, // biome-ignore format: one line
): Promise<OperatingPoint | undefined> {
  const split = spread(pictures.split, IMAGES);
  const detector = await openOnnxDetector(path, { trusted: true });
  try {
    const { evaluation, match } = await evaluateSplit(detector, split, {
      classes: pictures.classes!,
      onImages: (done) => {
        signal?.throwIfAborted();
        onProgress?.(`choosing thresholds for ${name}`, done, split.samples.length);
      },
    });
    const { counts, images } = evaluation;
    return operatingPoint(counts, { rule, images, seed: SEED, classes: matchedClasses(detector, match) });
  } finally {
    await detector.close();
  }
}
