// What was found as pictures of its own: one an object, in a folder for each class.

import { extname, join } from "node:path";
import type { ClassEntry } from "../../data/dataset/sample.ts";
import type { Rgb } from "../../data/image/decode.ts";
import { encodePicture } from "../../data/image/draw.ts";
import { placeInside } from "../../data/image/imagePaths.ts";
import { cutOut } from "../../data/slices/cutOut.ts";
import { writeFileAtomic } from "../../util/files.ts";
import { differentNames, safeName } from "../../util/text/safeName.ts";
import type { PredictedObject } from "./objects.ts";
import { refuseOthersFolder } from "./outFolder.ts";

/** Folder of the crops. */
const CROPS = "crops";

export type Crops = {
  /** The folder that they go to. */
  folder: string;
  /** Write the objects of an image, whose picture has this name: `CLASS/NAME-1.jpg` is the first of them. */
  write(found: { image: Rgb; objects: readonly PredictedObject[] }, picture: string): Promise<void>;
};

/**
 * Crops in the folder `out`, whose `results` an earlier call may have written; `classes` are all that there can be. Throws a
 * UserError where it has crops that somebody else made.
 */
export function openCrops(out: string, { results }: { results: string }): (classes: readonly ClassEntry[]) => Crops {
  const folder = join(out, CROPS);
  refuseOthersFolder(folder, { results, contents: "pictures of objects" });
  return (classes) => {
    const names = differentNames(classes.map(({ name }) => safeName(name)));
    const byLabel = new Map(classes.map(({ label }, i) => [label, names[i]!]));
    return {
      folder,
      write: async ({ image, objects }, picture) => {
        const extension = extname(picture);
        const stem = picture.slice(0, picture.length - extension.length);
        for (const [i, { box, label }] of objects.entries()) {
          const place = await placeInside(out, join(CROPS, byLabel.get(label)!, `${stem}-${i + 1}${extension}`));
          await writeFileAtomic(place, await encodePicture(cut(image, box), place));
        }
      },
    };
  };
}

/** The part of a picture that a box touches, at least a pixel. `box`: xyxy in pixels, inside the picture. */
function cut(image: Rgb, [x1, y1, x2, y2]: PredictedObject["box"]): Rgb {
  const [left, top] = [Math.min(Math.floor(x1), image.width - 1), Math.min(Math.floor(y1), image.height - 1)];
  const [right, bottom] = [Math.max(Math.ceil(x2), left + 1), Math.max(Math.ceil(y2), top + 1)];
  return cutOut(image, { left, top, width: right - left, height: bottom - top });
}
