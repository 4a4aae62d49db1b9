// A data set as COCO files beside the images, a folder a split, as Roboflow exports it.

import { join } from "node:path";
import { type Annotation, SPLITS } from "../data/dataset/sample.ts";
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
      const images = placed.pictures.map(({ sample: { imageId: id }, file: file_name, width, height }) => ({
        ...{ id, file_name, width, height },
      }));
      const annotations = placed.pictures.flatMap(({ sample: { imageId, annotations: all } }) =>
        all.map((annotation) => ({ imageId, annotation })),
      );
      const path = join(out, SPLIT_FOLDER[name], "_annotations.coco.json");
      await writeFileAtomic(path, cocoPieces({ images, annotations, categories }));
    }
  },
};

/** The pieces of a COCO file. */
export function cocoPieces({
  images,
  annotations,
  categories,
}: {
  images: readonly object[];
  annotations: readonly { imageId: number; annotation: Annotation }[];
  categories: readonly object[];
}): Buffer[] {
  return [
    ...listPieces('{"images":[', images, (image) => image),
    ...listPieces('],"annotations":[', annotations, ({ annotation, imageId }) => entryOf(annotation, imageId)),
    Buffer.from(`],"categories":${JSON.stringify(categories)}}\n`),
  ];
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
  const { id, categoryId: category_id, box, area, crowd, mask, keypoints } = annotation;
  const [x1, y1, x2, y2] = box;
  const segmentation = !mask ? [] : "polygons" in mask ? mask.polygons : { size: mask.size, counts: mask.counts };
  return {
    ...{ id, image_id, category_id, bbox: [x1, y1, x2 - x1, y2 - y1], area, iscrowd: crowd ? 1 : 0, segmentation },
    ...(keypoints && { keypoints, num_keypoints: keypoints.filter((value, i) => i % 3 === 2 && value > 0).length }),
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
