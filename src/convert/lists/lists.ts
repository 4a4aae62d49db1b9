// Splits as files that name images where they lie: COCO files, or YOLO's lists with their data.yaml.

import { readdir, rename } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { stringify } from "yaml";
import { marksOf } from "../../data/dataset/byModel/marks.ts";
import { exists } from "../../data/dataset/listing.ts";
import { type LabelledData, type Sample, SPLITS, type Split } from "../../data/dataset/sample.ts";
import { UserError } from "../../util/errors.ts";
import { writeFileAtomic } from "../../util/files.ts";
import { isObject } from "../../util/untrusted/json.ts";
import { isWithin, readUtf8 } from "../../util/untrusted/regular.ts";
import { MOST_YAML_BYTES, parseYaml } from "../../util/untrusted/yaml.ts";
import { cocoPieces, markEntry } from "../coco.ts";

/** What was written, and a recipe's `data` that reads it. */
export type Lists = {
  kind: "coco" | "yolo";
  files: string[];
  data: { dir: string } | Record<string, { images: string; annotations: string }>;
};

type Divided = Pick<LabelledData, "classes" | "splits">;

/** A COCO file for each split, all of one folder of images. Throws a UserError where one of them is there already. */
export async function writeCocoLists({ classes, splits }: Divided, { out }: { out: string }): Promise<Lists> {
  const present = SPLITS.flatMap((name) => splits[name] ?? []);
  const places = present.map(({ name }) => join(out, `${name}.json`));
  await refuseThere(places);
  const images = commonFolder(present.flatMap(({ samples }) => samples.map(({ path }) => path)));
  const ids = present.flatMap(({ samples }) => samples.map(({ imageId }) => imageId));
  const number = new Set(ids).size === ids.length ? (sample: Sample) => sample.imageId : counter();
  const data: Record<string, { images: string; annotations: string }> = {};
  for (const [i, split] of present.entries()) {
    await writeFileAtomic(places[i]!, cocoFile(split, { classes, images, number }));
    data[split.name] = { images, annotations: places[i]! };
  }
  return { kind: "coco", files: places, data };
}

function counter(): () => number {
  let count = 0;
  return () => ++count;
}

function cocoFile(
  { samples }: Split,
  { classes, images, number }: Pick<Divided, "classes"> & { images: string; number: (sample: Sample) => number },
): Buffer[] {
  const next = counter();
  const numbered = samples.map((sample) => ({ ...sample, imageId: number(sample) }));
  return cocoPieces({
    marks: marksOf(samples),
    images: numbered.map(({ imageId: id, path, width, height, byModel }) => {
      const file_name = relative(images, path).split(sep).join("/");
      const size = { ...(width !== null && { width }), ...(height !== null && { height }) };
      return { id, file_name, ...size, ...markEntry(byModel) };
    }),
    annotations: numbered.flatMap(({ imageId, annotations }) =>
      annotations.map((annotation) => ({ imageId, annotation: { ...annotation, id: next() } })),
    ),
    categories: classes.map(({ categoryId: id, name }) => ({ id, name })),
  });
}

/** The deepest folder that all files lie in. */
export function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0]!);
  for (const path of paths) while (!isWithin(path, folder)) folder = dirname(folder);
  return folder;
}

/**
 * Lists of image files, and a data.yaml that names them, in a folder that holds the images: a reader follows no list out of it. A
 * data.yaml that is there stays as data.before-split.yaml. Throws a UserError for another folder, and for lists that are there.
 */
export async function writeYoloLists(
  { classes, splits }: Divided,
  { dir, out }: { dir: string; out: string },
): Promise<Lists> {
  const present = SPLITS.flatMap((name) => splits[name] ?? []);
  const outside = present.flatMap(({ samples }) => samples).find(({ path }) => !isWithin(path, out));
  if (outside)
    throw new UserError(
      `The lists of a YOLO data set must lie in the folder of its pictures, and ${outside.path} does not lie in ${out}.`,
      {
        hint: `Write them beside its data.yaml: --out ${dir}`,
      },
    );
  const [yaml, before] = [join(out, "data.yaml"), join(out, "data.before-split.yaml")];
  const places = present.map(({ name }) => join(out, `${name}.txt`));
  const replaces = await exists(yaml);
  await refuseThere([...places, ...(replaces ? [before] : [])]);
  for (const [i, { samples }] of present.entries()) {
    const lines = samples.map(({ path }) => `./${relative(out, path).split(sep).join("/")}`).sort();
    await writeFileAtomic(places[i]!, lines.map((line) => `${line}\n`).join(""));
  }
  const lists = Object.fromEntries(present.map(({ name }) => [name, `${name}.txt`]));
  const shape = await keypointShapeIn(dir);
  const names = Object.fromEntries(classes.map(({ label, name }) => [label, name]));
  if (replaces) await rename(yaml, before);
  await writeFileAtomic(yaml, stringify({ ...lists, ...(shape !== undefined && { kpt_shape: shape }), names }));
  return { kind: "yolo", files: [...places, yaml, ...(replaces ? [before] : [])], data: { dir: out } };
}

/** The shape of key points that the data set's own file declares. */
async function keypointShapeIn(dir: string): Promise<unknown> {
  for (const name of (await readdir(dir)).filter((one) => /^[^.].*\.ya?ml$/i.test(one)).sort()) {
    const path = join(dir, name);
    const { values } = parseYaml(await readUtf8(path, { most: MOST_YAML_BYTES }), path);
    if (isObject(values) && "names" in values && values.kpt_shape !== undefined) return values.kpt_shape;
  }
  return undefined;
}

async function refuseThere(places: readonly string[]): Promise<void> {
  for (const place of places)
    if (await exists(place))
      throw new UserError(`${place} is there already.`, { hint: "Move it away, or choose another folder with --out." });
}
