// Which file of a folder describes a YOLO data set, and the splits that it names.

import { join, resolve } from "node:path";
import { UserError } from "../../../util/errors.ts";
import { readRegularText } from "../../../util/untrusted/regular.ts";
import { MOST_YAML_BYTES } from "../../../util/untrusted/yaml.ts";
import { type Problem, SPLITS } from "../sample.ts";
import { readYolo, type YoloFile, yoloClasses, yoloSamples } from "../yolo.ts";
import { findYoloSplit } from "../yoloSplit.ts";
import { readDarknet, readNames } from "./darknet.ts";
import { type DataFolder, type Folder, fileNamed, openFolder, subfolder } from "./folder.ts";
import type { Layout, Loaded, Place } from "./layout.ts";

/** A YOLO data set in a folder; null where there is none. Throws a UserError where several files could describe it. */
export async function detectYolo(dir: DataFolder): Promise<Layout | null> {
  const root = resolve(dir.path);
  const darknet =
    dir.files.includes("obj.data") && !/\bdata\.ya?ml\b/.test(dir.files.join()) ? join(root, "obj.data") : null;
  if (darknet) return { name: "yolo", description: `YOLO (${join(dir.path, "obj.data")}, as of Darknet and CVAT)`, load: async (place) => loadYolo(await readDarknet(root, darknet), place) }; // biome-ignore format: one line
  const yaml = dir.files.find((name) => name === "data.yaml" || name === "data.yml") ?? (await otherYaml(dir));
  const path = yaml === undefined ? await namesFile(dir) : join(dir.path, yaml);
  if (path === null) return null;
  const read = () => (yaml === undefined ? readNamed(root, resolve(path)) : readYolo(root, join(root, yaml)));
  return { name: "yolo", description: `YOLO (${path})`, load: async (place) => loadYolo(await read(), place) };
}

/** The list of names that Label Studio and LabelImg write in the place of a YAML file, where folders of images and labels are there. */
async function namesFile(dir: DataFolder): Promise<string | null> {
  const holders = [dir, ...dir.splits.flatMap(([, folders]) => folders)];
  if (!holders.some((folder) => subfolder(folder, ["images"]) && subfolder(folder, ["labels"]))) return null;
  const labels = subfolder(dir, ["labels"]);
  return fileNamed(dir, ["classes.txt"]) ?? (labels && fileNamed(await openFolder(labels), ["classes.txt"]));
}

/** A data set whose names are the lines of a file; all is `train` where no folder is that of a split. */
async function readNamed(root: string, path: string): Promise<YoloFile> {
  const names = await readNames(path, root);
  const splits: YoloFile["splits"] = {};
  for (const name of SPLITS) {
    const found = await findYoloSplit(root, { path, fields: {}, name });
    if (found) splits[name] = found;
  }
  const whole = Object.keys(splits).length === 0;
  const train = whole ? await findYoloSplit(root, { path, fields: { train: "images" }, name: "train" }) : null;
  return { path, names, splits: train ? { train } : splits, keypoints: undefined };
}

/** The one YAML of a folder that names classes and splits, where no data.yaml is there: Ultralytics' own sets have other names. */
async function otherYaml({ path, files }: Folder): Promise<string | undefined> {
  const found: string[] = [];
  for (const name of files.filter((one) => /\.ya?ml$/i.test(one)).slice(0, 20)) {
    const text = await readRegularText(join(path, name), { most: MOST_YAML_BYTES }).catch(() => "");
    if (/^names\s*:/m.test(text) && /^(train|val)\s*:/m.test(text)) found.push(name);
  }
  if (found.length < 2) return found[0];
  throw new UserError(`Several files in ${path} describe a YOLO data set: ${found.join(", ")}.`, {
    hint: "Call the right one data.yaml.",
  });
}

async function loadYolo(file: YoloFile, { root, exif }: Place): Promise<Loaded> {
  const splits: Loaded["splits"] = {};
  const problems: Problem[] = [];
  for (const name of SPLITS) {
    const folders = file.splits[name];
    if (!folders) continue;
    const reading = { within: root ?? folders.images, exif };
    const { samples, problems: found } = await yoloSamples(file, name, reading);
    for (const problem of found) problems.push(problem);
    splits[name] = { name, images: folders.images, annotations: folders.labels, samples, reading, polygons: "pillow" };
  }
  return { classes: yoloClasses(file), splits, problems };
}
