// A data set as YOLO's: data.yaml, and for each split a folder of images and one of text files, a row an object.

import { extname, join } from "node:path";
import { stringify } from "yaml";
import { type MarkedFile, markFile } from "../data/dataset/byModel/markFiles.ts";
import { stemOf } from "../data/dataset/formats/named.ts";
import { type Annotation, SPLITS, type Split } from "../data/dataset/sample.ts";
import { IMAGE_EXTENSIONS } from "../data/image/decode.ts";
import { outerContour } from "../instance/masks/contour.ts";
import { maskRuns } from "../instance/masks/maskRuns.ts";
import { UserError } from "../util/errors.ts";
import { byFile, hasBoxOf, type Losses, lose, onePolygon, putFile, SPLIT_FOLDER, type Writer } from "./writer.ts";

export const YOLO_WRITER: Writer = {
  imagesOf: (split) => `${SPLIT_FOLDER[split]}/images`,
  ...{ shared: false, byStem: true, measured: true },
  write: async ({ out, splits, classes, losses, notes }) => {
    const places: Record<string, string> = {};
    for (const name of SPLITS) {
      const placed = splits[name];
      if (!placed) continue;
      places[name] = `${SPLIT_FOLDER[name]}/images`;
      const marked: MarkedFile[] = [];
      for (const { file, width, height, annotations, byModel } of byFile(placed)) {
        const rows = annotations.flatMap((one) => rowOf(one, { width, height, file, split: placed.split, losses }));
        if (!IMAGE_EXTENSIONS.has(extname(file).toLowerCase())) throw noImage(file);
        const text = `${stemOf(file)}.txt`;
        await putFile(join(out, SPLIT_FOLDER[name], "labels", text), rows.join(""));
        const written = annotations.filter(({ crowd }) => !crowd);
        const mark = byModel ?? written.find((one) => one.byModel)?.byModel;
        if (!mark) continue;
        marked.push({ file: text, mark, scores: written.map(({ score }) => score) });
        if (written.some((one) => !one.byModel)) lose(losses, SEVERAL_HANDS);
      }
      if (marked.length === 0) continue;
      const { name: beside, text } = markFile(marked);
      await putFile(join(out, SPLIT_FOLDER[name], "labels", beside), text);
      notes.push(`${beside} beside the label files says which of them a model made: take it along with them.`);
    }
    const names = classes.map(({ name }) => name);
    await putFile(join(out, "data.yaml"), stringify({ ...places, nc: names.length, names }));
  },
};

const SEVERAL_HANDS = "Pictures with boxes of a model and of a person, all of which are marked as a model's now";

function noImage(file: string): UserError {
  return new UserError(`${file} has no extension of a picture, by which YOLO's readers find pictures.`, {
    hint: "Rename it, or convert to coco or voc.",
  });
}

type Where = { width: number; height: number; file: string; split: Split; losses: Losses };

/** The row of an object: class and polygon, or class, centre and size, in parts of the image. None for a crowd. */
function rowOf(annotation: Annotation, { width, height, file, split, losses }: Where): string[] {
  const { label, box, mask, crowd, keypoints } = annotation;
  const [x1, y1, x2, y2] = box;
  if (crowd) {
    lose(losses, "Crowd regions, which are left out");
    return [];
  }
  if (keypoints) lose(losses, "Objects with key points, which are left out");
  let polygon = onePolygon(annotation);
  if (mask && !polygon) {
    const runs = maskRuns(mask, { size: [height, width], rule: split.polygons ?? "coco", where: file });
    const contour = outerContour(runs)?.map((value) => value + 0.5) ?? [];
    polygon = contour.length >= 6 ? contour : null;
    lose(losses, `Masks of several parts or of run lengths, of which ${polygon ? "the outline of the largest part" : "the box"} is kept`); // biome-ignore format: one line
  } else if (polygon && !hasBoxOf(polygon, box))
    lose(losses, "Boxes that are not those of their masks, which are the masks' now");
  const numbers = polygon ?? [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1];
  const parts = numbers.map((value, i) => shortest(value / (i % 2 === 0 ? width : height)));
  return [`${label} ${parts.join(" ")}\n`];
}

/** Twelve places are some 1e-8 pixels of the largest image, and no program reads an exponent where none is. */
function shortest(value: number): string {
  return value.toFixed(12).replace(/\.?0+$/, "");
}
