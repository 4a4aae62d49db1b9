// The folders in which programs put COCO files: Roboflow, CVAT, Label Studio, FiftyOne, and COCO's own.

import { basename, join } from "node:path";
import { UserError } from "../../../util/errors.ts";
import { SPLITS, type SplitName } from "../sample.ts";
import { type CocoSource, loadCoco } from "./cocoSplits.ts";
import { type DataFolder, type Folder, fileNamed, inSplits, openFolder, subfolder } from "./folder.ts";
import type { Layout, LayoutName } from "./layout.ts";

type Sources = Partial<Record<SplitName, CocoSource>>;

/** Every layout of COCO files that a folder has. Throws a UserError where a file has no folder of images. */
export async function detectCocoLayouts(dir: DataFolder): Promise<Layout[]> {
  const found: Layout[] = [];
  const add = (name: LayoutName, what: string, sources: Sources) => {
    if (Object.keys(sources).length === 0) return;
    const description = `${what} in ${dir.path}`;
    found.push({ name, description, load: (place) => loadCoco(sources, place) });
  };
  add("roboflow-coco", "COCO annotations beside the images, a folder a split (Roboflow)", await inSplits(dir, roboflow)); // biome-ignore format: one line
  add("coco", "COCO labels.json and data/ (FiftyOne)", await inSplits(dir, fiftyOne));
  add("coco", "COCO result.json and images/ (Label Studio)", await inSplits(dir, labelStudio));
  add("coco", "COCO annotations/ and folders of images", await inAnnotations(dir));
  return found;
}

function roboflow(folder: Folder): CocoSource | null {
  const annotations = fileNamed(folder, ["_annotations.coco.json"]);
  return annotations === null ? null : { images: [folder.path], annotations };
}

function fiftyOne(folder: Folder): CocoSource | null {
  const [annotations, images] = [fileNamed(folder, ["labels.json"]), subfolder(folder, ["data"])];
  return annotations && images ? { images: [images], annotations } : null;
}

/** The names in it begin with "images/", or did so in some releases. */
function labelStudio(folder: Folder): CocoSource | null {
  const [annotations, images] = [fileNamed(folder, ["result.json"]), subfolder(folder, ["images"])];
  return annotations && images ? { images: [folder.path, images], annotations } : null;
}

const JSON_OF: Record<SplitName, RegExp> = {
  train: /^(instances_train[^.]*|train(ing)?\d*)\.json$/i,
  val: /^(instances_val[^.]*|val(id|idation)?\d*)\.json$/i,
  test: /^(instances_test[^.]*|test(ing)?\d*)\.json$/i,
};

/** `annotations/instances_*.json`. One part alone that is called otherwise, as CVAT's `default` is, is `train`. */
async function inAnnotations(dir: DataFolder): Promise<Sources> {
  const folder = subfolder(dir, ["annotations"]);
  if (!folder) return {};
  const { files } = await openFolder(folder);
  const sources: Sources = {};
  for (const split of SPLITS) {
    const named = files.filter((file) => JSON_OF[split].test(file));
    const file = named.find((one) => /^instances_/i.test(one)) ?? named[0];
    if (file) sources[split] = await sourceOf(dir, { folder, file, split });
  }
  if (Object.keys(sources).length > 0) return sources;
  const others = files.filter((file) => /^instances_[^.]*\.json$/i.test(file));
  if (others.length > 1)
    throw new UserError(`Which of ${others.join(", ")} in ${folder} is which split cannot be told.`, {
      hint: "Call them instances_train.json, instances_val.json, instances_test.json, or name each: data: { train: { images: DIR, annotations: FILE }, val: ... }.",
    });
  return others[0] ? { train: await sourceOf(dir, { folder, file: others[0], split: "train" }) } : {};
}

async function sourceOf(
  dir: Folder,
  { folder, file, split }: { folder: string; file: string; split: SplitName },
): Promise<CocoSource> {
  const annotations = join(folder, file);
  const set = basename(file, ".json").replace(/^instances_/i, "");
  const parent = subfolder(dir, ["images"]);
  const inner = parent ? await openFolder(parent) : null;
  const images = [set, split].flatMap((name) => [subfolder(dir, [name]), inner && subfolder(inner, [name])]);
  const found = [...images, parent].filter((one) => one !== null);
  if (found.length > 0) return { images: found, annotations };
  const tried = [set, join("images", set), split, join("images", split), "images"].map((one) => join(dir.path, one));
  throw new UserError(`${annotations} has no folder of images: none of ${tried.join(", ")} exists.`, {
    hint: "Name both: data: { train: { images: DIR, annotations: FILE }, val: ... }.",
  });
}
