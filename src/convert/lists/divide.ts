// Divides the images of a data set again, and writes who is where: lists of files, never copies of them.

import { resolve } from "node:path";
import { modelProblems } from "../../data/dataset/byModel/refuse.ts";
import { loadDataset, refuseErrors } from "../../data/dataset/dataset.ts";
import { boxesPerClass, type Sample, SPLITS, type Split, type SplitName } from "../../data/dataset/sample.ts";
import { type Apportioned, apportion } from "../../data/splits/apportion.ts";
import { UserError } from "../../util/errors.ts";
import { type Lists, writeCocoLists, writeYoloLists } from "./lists.ts";

export type DivideOptions = {
  /** Folder of the data set. */
  dir: string;
  /** Folder of the lists. */
  out: string;
  /** Share of the validation images, and of the test images; without one a test split stays as it is. */
  val: number;
  test?: number | undefined;
  seed?: number | undefined;
  /** As data.group. */
  group?: string | undefined;
  /** Whether pictures stay together that look nearly the same. Default true. */
  near?: boolean | undefined;
};

export type Division = Lists &
  Omit<Apportioned, "sides"> & {
    /** Of the data set that was read. */
    description: string;
    out: string;
    /** Images that several splits listed; each is in one now. */
    listedTwice: number;
    splits: Partial<Record<SplitName, { images: number; boxesPerClass: Record<string, number> }>>;
  };

/**
 * Divide a data set: its train and val images (and its test images, where a share for them is asked for) are shared out again, by
 * class, with copies, near-duplicates and groups on one side. Throws a UserError where it cannot be read or divided, or a list is
 * there already.
 */
export async function divideDataset(options: DivideOptions): Promise<Division> {
  const { val, test = 0, seed = 0, group = null, near = true } = options;
  const [dir, out] = [options.dir, options.out].map((path) => resolve(path)) as [string, string];
  if (!(val > 0 && test >= 0 && val + test < 1))
    throw new UserError(
      `--val is ${val}${test ? ` and --test ${test}` : ""}: shares of the images, above 0 and below 1 in all.`,
    );
  const dataset = await loadDataset({ dir: options.dir }, { require: [], byModelAnywhere: true });
  const names = test > 0 ? SPLITS : (["train", "val"] as const);
  const { pool, listedTwice } = pooled(names.flatMap((name) => dataset.splits[name] ?? []));
  if (!pool) throw new UserError(`${options.dir} has no images in ${names.join(", ")}.`);
  const { sides, ...found } = await apportion(pool, {
    shares: [1 - val - test, val, test].slice(0, names.length),
    seed,
    group,
    near,
  });
  if (found.units < names.length)
    throw new UserError(
      `The ${pool.samples.length} images of ${options.dir} make up ${found.units} group${found.units === 1 ? "" : "s"} of what belongs together, which is too few for ${names.length} splits.`,
      { hint: "Give --group so that it tells scenes apart, or --no-near." },
    );
  const splits: Partial<Record<SplitName, Split>> = { ...dataset.splits };
  for (const [side, name] of names.entries())
    splits[name] = { ...pool, name, samples: pool.samples.filter((_, i) => sides[i] === side) };
  refuseErrors(modelProblems({ splits })); // a test split that stays as it is
  const write = dataset.layout === "yolo" ? writeYoloLists : writeCocoLists;
  const lists = await write({ classes: dataset.classes, splits }, { dir, out });
  const counts: Division["splits"] = {};
  for (const name of SPLITS) {
    const samples = splits[name]?.samples;
    if (!samples) continue;
    const boxes = Object.fromEntries(boxesPerClass(samples, dataset.classes));
    counts[name] = { images: samples.length, boxesPerClass: boxes };
  }
  return { description: dataset.description, out, ...lists, ...found, listedTwice, splits: counts };
}

/** The images of several splits as one, each once. */
function pooled(splits: readonly Split[]): { pool: Split | undefined; listedTwice: number } {
  const byPath = new Map<string, Sample>();
  for (const { samples } of splits)
    for (const sample of samples) if (!byPath.has(sample.path)) byPath.set(sample.path, sample);
  const all = splits.reduce((sum, { samples }) => sum + samples.length, 0);
  const pool = splits[0] && byPath.size > 0 ? { ...splits[0], samples: [...byPath.values()] } : undefined;
  return { pool, listedTwice: all - byPath.size };
}
