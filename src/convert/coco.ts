// A data set as COCO files beside the images, a folder a split, as Roboflow exports it.

import { join } from "node:path";
import { aboutEntry, MARK_KEY, marksOf } from "../data/dataset/byModel/marks.ts";
import { type Annotation, type ModelMark, SPLITS } from "../data/dataset/sample.ts";
import { writeFileAtomic } from "../util/files.ts";
import type { PlacedSplit } from "./pictures.ts";
import { type Losses, lose, SPLIT_FOLDER, type Writer } from "./writer.ts";

/** Entries that become one piece of the file: all of them could be longer than a text can be. */
const ENTRIES_OF_A_PIECE = 1000;

export const COCO_WRITER: Writer = {
  imagesOf: (split) => SPLIT_FOLDER[split],
  ...{ shared: false, byStem: false, measured: false },
  write: async ({ out, splits, classes, losses }) => {
    const categories = classes.map(({ categoryId: id, name }) => ({ id, name, supercategory: "none" }));
    for (const name of SPLITS) {
      const placed = splits[name];
      if (!placed) continue;
      countBoxMasks(placed, losses);
      const images = placed.pictures.map(({ sample: { imageId: id, byModel }, file: file_name, width, height }) => ({
        ...{ id, file_name, width, height },
        ...markEntry(byModel),
      }));
      const annotations = placed.pictures.flatMap(({ sample: { imageId, annotations: all } }) =>
        all.map((annotation) => ({ imageId, annotation })),
      );
      const path = join(out, SPLIT_FOLDER[name], "_annotations.coco.json");
      const marks = marksOf(placed.pictures.map(({ sample }) => sample));
      await writeFileAtomic(path, cocoPieces({ images, annotations, categories, marks }));
    }
  },
};

/** The pieces of a COCO file. `marks`: who made labels that no person has seen; images and annotations have the names of these. */
export function cocoPieces({
  images,
  annotations,
  categories,
  marks,
}: {
  images: readonly object[];
  annotations: readonly { imageId: number; annotation: Annotation }[];
  categories: readonly object[];
  marks: readonly ModelMark[];
}): Buffer[] {
  const info = marks.length === 0 ? "" : `"info":${JSON.stringify({ [MARK_KEY]: marks.map(aboutEntry) })},`;
  return [
    ...listPieces(`{${info}"images":[`, images, (image) => image),
    ...listPieces('],"annotations":[', annotations, ({ annotation, imageId }) => entryOf(annotation, imageId)),
    Buffer.from(`],"categories":${JSON.stringify(categories)}}\n`),
  ];
}

/** What an entry says of the model that made it; nothing for a person's. */
export function markEntry(byModel: ModelMark | undefined): object {
  return byModel ? { [MARK_KEY]: byModel.model } : {};
}

/** A list of a JSON file, behind what opens it. */
function listPieces<T>(opening: string, entries: readonly T[], make: (entry: T) => object): Buffer[] {
  const pieces = [Buffer.from(opening)];
  for (let i = 0; i < entries.length; i += ENTRIES_OF_A_PIECE) {
    const some = entries.slice(i, i + ENTRIES_OF_A_PIECE).map((entry) => JSON.stringify(make(entry)));
    pieces.push(Buffer.from(`${i > 0 ? "," : ""}\n${some.join(",\n")}`));
  }
  return pieces;
}

function entryOf(annotation: Annotation, image_id: number): object {
  const { id, categoryId: category_id, box, area, crowd, mask, keypoints, byModel, score } = annotation;
  const [x1, y1, x2, y2] = box;
  const segmentation = !mask ? [] : "polygons" in mask ? mask.polygons : { size: mask.size, counts: mask.counts };
  return {
    ...{ id, image_id, category_id, bbox: [x1, y1, x2 - x1, y2 - y1], area, iscrowd: crowd ? 1 : 0, segmentation },
    ...(keypoints && { keypoints, num_keypoints: keypoints.filter((value, i) => i % 3 === 2 && value > 0).length }),
    ...(score !== undefined && { score }),
    ...markEntry(byModel),
  };
}

/** In YOLO's files a box beside polygons is a mask, too. */
function countBoxMasks({ split, pictures }: PlacedSplit, losses: Losses): void {
  if (split.polygons !== "pillow") return;
  const all = pictures.flatMap(({ sample }) => sample.annotations);
  if (!all.some(({ mask }) => mask)) return;
  for (const { mask } of all)
    if (!mask) lose(losses, "Boxes beside polygons, which were masks as well and have none now");
}
