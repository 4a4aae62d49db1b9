// What was found as a data set of its own, with the mark that a model made it: pictures linked, labels in the layout that is asked for.

import { join, resolve } from "node:path";
import { refuseTaken, writeDataset } from "../../../convert/convertDataset.ts";
import { commonFolder } from "../../../convert/lists/lists.ts";
import { modelName } from "../../../data/dataset/byModel/marks.ts";
import type { Annotation, ClassEntry, ModelLabels, ModelMark, Sample } from "../../../data/dataset/sample.ts";
import { isStream } from "../../../data/image/imagePaths.ts";
import { maskRuns } from "../../../instance/masks/maskRuns.ts";
import { runsArea } from "../../../instance/masks/runs.ts";
import { UserError } from "../../../util/errors.ts";
import type { PredictedObject } from "../objects.ts";
import type { Prediction } from "../predict.ts";
import { byUncertainty } from "./uncertainty.ts";
import { LABELS, openYoloLabels } from "./yoloLabels.ts";

/** Pixels of a side below which an object has no area: labels are rounded to thousandths. */
const LEAST = 0.001;

/** A data set in one of the layouts, or (true) the label files of YOLO alone. */
export type LabelFormat = "coco" | "yolo" | "voc" | true;

export type Labels = {
  /** The folder that they go to. */
  folder: string;
  /** Take what was found in an image, whose picture has this name. */
  write(found: FoundObjects, picture: string): Promise<void>;
  /** Write what is left. Gives what the layout could not keep, a sentence each. */
  finish(classes: readonly ClassEntry[], made: ModelLabels): Promise<string[]>;
};

export type FoundObjects = Extract<Prediction, { objects: unknown }>;

/**
 * Labels in the folder `out`, whose `results` an earlier call may have written. Throws a UserError where somebody else's labels are
 * there, where a data set is there, whoever wrote it (a person may have corrected it), and for pictures that are no files.
 */
export async function openLabels(
  out: string,
  { to, results, images }: { to: LabelFormat; results: string; images: readonly string[] },
): Promise<Labels> {
  if (to === true) return openYoloLabels(out, { results });
  const stream = images.find(isStream);
  if (stream !== undefined)
    throw new UserError(`--labels ${to} writes a data set of picture files, and ${stream === "-" ? "standard input" : stream} is none.`, {
      hint: "Save the picture first, or write label files alone: --labels.",
    }); // biome-ignore format: one line
  const folder = join(out, LABELS);
  await refuseTaken(folder, undefined);
  const found: { file: string; uncertainty: number; width: number; height: number; objects: readonly PredictedObject[] }[] = []; // biome-ignore format: one line
  return {
    folder,
    write: async ({ file, uncertainty, image, size = image, objects }) => {
      found.push({ file, uncertainty, width: size.width, height: size.height, objects });
    },
    finish: async (classes, made) => {
      const mark: ModelMark = { model: modelName(made), from: folder, about: made };
      const ordered = classes.map((one, label) => ({ ...one, label })); // numbers of a model may leave some out
      const labels = new Map(classes.map((one, label) => [one.label, label]));
      let id = 0;
      const samples = byUncertainty(found).map(({ file, width, height, objects }, i): Sample => {
        const [wide, high] = [
          ({ box }: PredictedObject) => box[2] - box[0],
          ({ box }: PredictedObject) => box[3] - box[1],
        ];
        const annotations = objects
          .filter((one) => wide(one) >= LEAST && high(one) >= LEAST)
          .map((one): Annotation => {
            return { ...annotationOf(one, { width, height }), id: ++id, label: labels.get(one.label)!, byModel: mark };
          });
        return { imageId: i + 1, file, path: resolve(file), width, height, annotations, byModel: mark };
      });
      if (samples.length === 0) return ["No image could be read, so there are no labels."];
      const images = commonFolder(samples.map(({ path }) => path));
      const train = { name: "train", images, annotations: folder, samples, reading: { within: resolve("/") } } as const;
      const { notes } = await writeDataset({ classes: ordered, splits: { train } }, { to, out: folder });
      return notes;
    },
  };
}

function annotationOf(
  { box, score, categoryId, label, mask }: PredictedObject,
  { width, height }: { width: number; height: number },
): Omit<Annotation, "id"> {
  const [x1, y1, x2, y2] = box.map((side) => Number(side.toFixed(3))) as [number, number, number, number];
  const area = mask ? runsArea(maskRuns(mask, { size: [height, width], where: "" })) : (x2 - x1) * (y2 - y1);
  return { box: [x1, y1, x2, y2], area, categoryId, label, crowd: false, score: Number(score.toFixed(6)), ...(mask && { mask }) }; // biome-ignore format: one line
}
