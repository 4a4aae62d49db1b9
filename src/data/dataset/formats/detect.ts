// Finds out which layout of files a data set's folder has; several at once are refused, as nobody can say which one is meant.

import { join } from "node:path";
import { UserError } from "../../../util/errors.ts";
import { maybeMoved } from "../../../util/text/moved.ts";
import { detectCocoLayouts } from "./cocoLayouts.ts";
import { detectCreateml } from "./createml.ts";
import { detectCsv } from "./csv.ts";
import { type DataFolder, openDataFolder } from "./folder.ts";
import { detectLabelme } from "./labelme.ts";
import type { Layout } from "./layout.ts";
import { detectVoc } from "./voc.ts";
import { detectYolo } from "./yoloLayout.ts";

/** Levels of folders that may lie around a data set, with nothing else in them: what a zip file or VOCdevkit has. */
const MOST_AROUND = 3;

/** The layout of a folder. Throws a UserError where it is missing, none is recognised, or several are. */
export async function detectLayout(path: string): Promise<Layout> {
  let dir = await openGiven(path);
  for (let level = 0; ; level++) {
    const found = await layoutsIn(dir);
    if (found.length === 1) return found[0]!;
    if (found.length > 1)
      throw new UserError(`Several data sets lie in ${dir.path}: ${found.map(({ description }) => description.replace(` in ${dir.path}`, "")).join("; ")}.`, {
        hint: "Move the files of all but one elsewhere, or name each split of COCO files: data: { train: { images, annotations }, val: ... }.",
      }); // biome-ignore format: one line
    const [only] = dir.folders;
    if (level === MOST_AROUND || only === undefined || dir.folders.length > 1 || dir.files.length > 0) break;
    dir = await openDataFolder(join(dir.path, only));
  }
  throw new UserError(`No data set was recognised in ${path}.`, { hint: cvatXml(dir) ?? KNOWN });
}

const KNOWN =
  "Known layouts: COCO (Roboflow's train/_annotations.coco.json, annotations/instances_train*.json, FiftyOne's labels.json and data/, " +
  "Label Studio's result.json and images/), YOLO (data.yaml, obj.data), Pascal VOC, LabelMe, CreateML, CSV: docs/data.md has the files of each. " +
  "Or name each split of COCO files: data: { train: { images, annotations }, val: ... }.";

function cvatXml({ files }: DataFolder): string | undefined {
  return files.includes("annotations.xml")
    ? "annotations.xml looks like CVAT's own format: export the task again as COCO 1.0, Pascal VOC 1.1 or Ultralytics YOLO."
    : undefined;
}

async function layoutsIn(dir: DataFolder): Promise<Layout[]> {
  const found = await detectCocoLayouts(dir);
  for (const detect of [detectYolo, detectVoc, detectLabelme, detectCreateml, detectCsv]) {
    const layout = await detect(dir);
    if (layout) found.push(layout);
  }
  return found;
}

async function openGiven(path: string): Promise<DataFolder> {
  return openDataFolder(path).catch((cause: NodeJS.ErrnoException) => {
    const why: Record<string, string> = { ENOTDIR: "is not a folder", ENOENT: "does not exist" };
    throw new UserError(`The data folder ${path} ${why[cause.code ?? ""] ?? `cannot be read (${cause.code})`}.`, {
      hint: maybeMoved("data.dir"),
      cause,
    });
  });
}
