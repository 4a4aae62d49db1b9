// What was found as label files of YOLO: a text file an image, a line an object, and the classes' names beside them.

import { extname, join } from "node:path";
import { markFile } from "../../../data/dataset/byModel/markFiles.ts";
import { modelName } from "../../../data/dataset/byModel/marks.ts";
import type { ClassEntry, ModelLabels } from "../../../data/dataset/sample.ts";
import { placeInside } from "../../../data/image/imagePaths.ts";
import { outerContour } from "../../../instance/masks/contour.ts";
import { maskRuns } from "../../../instance/masks/maskRuns.ts";
import type { Runs } from "../../../instance/masks/runs.ts";
import { writeFileAtomic } from "../../../util/files.ts";
import type { PredictedObject } from "../objects.ts";
import { refuseOthersFolder } from "../outFolder.ts";
import type { Prediction } from "../predict.ts";

/** Folder of the label files, and the file in it that names their classes. */
export const LABELS = "labels";
const CLASSES = "classes.txt";

type Found = Omit<Extract<Prediction, { objects: unknown }>, "uncertainty">;

/**
 * Label files in the folder `out`, whose `results` an earlier call may have written. Throws a UserError where it has labels
 * that somebody else made.
 */
export function openYoloLabels(
  out: string,
  { results }: { results: string },
): {
  folder: string;
  /** Write what was found in an image, whose picture has this name. */
  write(found: Found, picture: string): Promise<void>;
  /** Write the names of the classes, and how the labels were made. */
  finish(classes: readonly ClassEntry[], made: ModelLabels): Promise<string[]>;
} {
  const folder = join(out, LABELS);
  refuseOthersFolder(folder, { results, contents: "labels that were found" });
  const taken = new Set([CLASSES]);
  const nameOf = (picture: string) => {
    const short = `${picture.slice(0, picture.length - extname(picture).length)}.txt`;
    const name = taken.has(short.toLowerCase()) ? `${picture}.txt` : short; // of x.jpg and x.png one can have x.txt
    taken.add(name.toLowerCase());
    return name;
  };
  const write = async (name: string, text: string) => writeFileAtomic(await placeInside(out, join(LABELS, name)), text);
  const files: { file: string; scores: number[] }[] = [];
  return {
    folder,
    write: (found, picture) => {
      const file = nameOf(picture);
      files.push({ file, scores: found.objects.map(({ score }) => Number(score.toFixed(6))) });
      return write(file, lines(found));
    },
    finish: async (classes, made) => {
      await write(CLASSES, names(classes));
      const mark = { model: modelName(made), from: folder, about: made };
      const { name, text } = markFile(files.map((one) => ({ ...one, mark })));
      await write(name, text);
      return [`${name} beside the label files says that a model made them: take it along with them.`];
    },
  };
}

/** Label and place of each object in parts of the image: a polygon where it has a mask, else the centre and the size of its box. */
function lines({ image, size, file, objects }: Found): string {
  const { width, height } = size ?? image;
  const all = objects.map(({ label, box: [x1, y1, x2, y2], mask }) => {
    const numbers = mask
      ? polygon(maskRuns(mask, { size: [height, width], where: file }), [x1, y1, x2, y2])
      : [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1];
    const parts = numbers.map((value, i) => (value / (i % 2 === 0 ? width : height)).toFixed(6));
    return `${label} ${parts.join(" ")}\n`;
  });
  return all.join("");
}

/** The outline of a mask through the middles of its pixels, with at least three corners; of an empty mask that of the box. */
function polygon(mask: Runs, [x1, y1, x2, y2]: PredictedObject["box"]): number[] {
  const contour = outerContour(mask)?.map((value) => value + 0.5) ?? [x1, y1, x2, y1, x2, y2, x1, y2];
  while (contour.length < 6) contour.push(...contour.slice(-2));
  return contour;
}

/** The name of each label's class; an empty line where a label is none. */
function names(classes: readonly ClassEntry[]): string {
  const byLabel = new Map(classes.map(({ label, name }) => [label, name.replaceAll(/[\r\n]+/g, " ")]));
  return Array.from({ length: Math.max(-1, ...byLabel.keys()) + 1 }, (_, i) => `${byLabel.get(i) ?? ""}\n`).join("");
}
