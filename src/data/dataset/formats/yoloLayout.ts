// Which file of a folder describes a YOLO data set, and the splits that it names.

import { join, resolve } from "node:path";
import { UserError } from "../../../util/errors.ts";
import { readRegularText } from "../../../util/untrusted/regular.ts";
import { MOST_YAML_BYTES } from "../../../util/untrusted/yaml.ts";
import { type Problem, SPLITS } from "../sample.ts";
import { readYolo, yoloClasses, yoloSamples } from "../yolo.ts";
import type { DataFolder, Folder } from "./folder.ts";
import type { Layout, Loaded, Place } from "./layout.ts";

/** A YOLO data set in a folder; null where there is none. Throws a UserError where several files could describe it. */
export async function detectYolo(dir: DataFolder): Promise<Layout | null> {
  const yaml = dir.files.find((name) => name === "data.yaml" || name === "data.yml") ?? (await otherYaml(dir));
  if (!yaml) return null;
  const path = join(dir.path, yaml);
  return { name: "yolo", description: `YOLO (${path})`, load: (place) => loadYolo(dir.path, yaml, place) };
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

async function loadYolo(dir: string, yaml: string, { root, exif }: Place): Promise<Loaded> {
  const file = await readYolo(resolve(dir), join(resolve(dir), yaml));
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
