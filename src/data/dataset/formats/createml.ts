// CreateML: a JSON list of images of each split, whose boxes are centres and sizes in pixels.

import { join } from "node:path";
import { UserError } from "../../../util/errors.ts";
import { isObject } from "../../../util/untrusted/json.ts";
import { keepOf, readJsonLists } from "../../../util/untrusted/jsonLists.ts";
import { refuseEscape } from "../../../util/untrusted/regular.ts";
import type { SplitName } from "../sample.ts";
import { beginningOf, type DataFolder, type Folder, inSplits } from "./folder.ts";
import type { Layout } from "./layout.ts";
import {
  loadNamed,
  type NamedImage,
  type NamedObject,
  type NamedSplit,
  numberIn,
  problemList,
  type Report,
} from "./named.ts";

/** What is kept of an image; older files of Apple's call its name and its list otherwise. */
const KEEP = {
  "": keepOf((entry) => ({
    image: entry.image ?? entry.imagefilename,
    annotations: entry.annotations ?? entry.annotation,
  })),
};

/** CreateML's files in a folder; null where there are none. */
export async function detectCreateml(dir: DataFolder): Promise<Layout | null> {
  const sources = await inSplits(dir, fileOf);
  if (Object.keys(sources).length === 0) return null;
  return {
    name: "createml",
    description: `CreateML (a JSON list of images) in ${dir.path}`,
    load: (place) =>
      loadNamed(sources, place, async (path, split) => {
        await refuseEscape(path, place.root ?? dir.path);
        return readSplit(path, split);
      }),
  };
}

/** Roboflow's name of the file, or Apple's, which others use as well. */
async function fileOf({ path, files }: Folder): Promise<string | null> {
  const own = files.find((name) => /createml\.json$/i.test(name));
  if (own) return join(path, own);
  const apple = files.includes("annotations.json") ? join(path, "annotations.json") : null;
  return apple && /^\ufeff?\s*\[/.test(await beginningOf(apple)) ? apple : null;
}

async function readSplit(path: string, split: SplitName): Promise<NamedSplit> {
  const { problems, report } = problemList(split);
  const list = await readJsonLists(path, { keep: KEEP, bareNumbers: true });
  if (!Array.isArray(list))
    throw new UserError(`${path} is no file of CreateML: the top level is not a list.`, {
      hint: 'It needs a list of images, each with "image" and "annotations".',
    });
  const entries = list.flatMap((entry, i) => entryOf(entry, i, { path, report }));
  return { images: join(path, ".."), annotations: path, entries, problems };
}

function entryOf(entry: unknown, i: number, { path, report }: { path: string; report: Report }): NamedImage[] {
  const wrong = (place: string, says: string) => report("malformed", "error", path, `${path}, ${place} ${says}.`);
  const { image, annotations } = isObject(entry) ? entry : {};
  if (typeof image !== "string" || image === "" || !Array.isArray(annotations)) {
    wrong(`image ${i + 1}`, 'needs the name of an "image" and a list "annotations"');
    return [];
  }
  const objects = annotations.flatMap((object, j): NamedObject[] => {
    const place = `annotation ${j + 1} of image ${i + 1}`;
    const { label, coordinates } = isObject(object) ? object : {};
    if (typeof label !== "string" || !isObject(coordinates)) {
      wrong(`${place} (${image})`, 'needs a "label" and "coordinates"');
      return [];
    }
    const [x, y, width, height] = ["x", "y", "width", "height"].map((key) => numberIn(coordinates[key]));
    const box: NamedObject["box"] = [x! - width! / 2, y! - height! / 2, x! + width! / 2, y! + height! / 2];
    return [{ name: label, box, place }];
  });
  return [{ from: path, names: [image], stem: null, width: null, height: null, objects }];
}
