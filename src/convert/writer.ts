// What the writers of data sets have in common: what they are given, and how they say what their layout cannot hold.

import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Annotation, ClassEntry, Sample, SplitName } from "../data/dataset/sample.ts";
import { maskBox } from "../instance/maskBox.ts";
import type { PlacedSplit } from "./pictures.ts";

/** What is lost, and of how many objects. */
export type Losses = Map<string, number>;

type Writing = {
  /** The folder of the new data set, which is there. */
  out: string;
  splits: Partial<Record<SplitName, PlacedSplit>>;
  classes: readonly ClassEntry[];
  losses: Losses;
  /** What else is to be said, a sentence each. */
  notes: string[];
};

export type Writer = {
  /** The folder of images of a split, relative to that of the data set. */
  imagesOf: (split: SplitName) => string;
  /** Whether pictures of all splits lie in one folder, and whether they may differ in their extension alone. */
  shared: boolean;
  byStem: boolean;
  /** Whether places are written in parts of the image, which its own size has to be known for. */
  measured: boolean;
  /** Write all but the pictures. */
  write: (writing: Writing) => Promise<void>;
};

/** How Roboflow calls the folder of a split. */
export const SPLIT_FOLDER: Record<SplitName, string> = { train: "train", val: "valid", test: "test" };

/** Count an object that loses something. */
export function lose(losses: Losses, what: string): void {
  losses.set(what, (losses.get(what) ?? 0) + 1);
}

/** The one polygon that a mask consists of, with three corners or more; null for any other mask. */
export function onePolygon({ mask }: Annotation): number[] | null {
  if (!mask || !("polygons" in mask) || mask.polygons.length !== 1) return null;
  const [polygon] = mask.polygons as [number[]];
  return polygon.length >= 6 && polygon.length % 2 === 0 && polygon.every(Number.isFinite) ? polygon : null;
}

/** Whether the box around a polygon is the annotated one. */
export function hasBoxOf(polygon: number[], box: Annotation["box"]): boolean {
  return maskBox({ polygons: [polygon] })!.every((side, i) => Math.abs(side - box[i]!) <= 1e-6);
}

export type WrittenPicture = Pick<Sample, "byModel" | "annotations"> & { file: string; width: number; height: number };

/** Pictures by their names, each with all that is annotated in it, whichever of its entries has it. */
export function byFile({ pictures }: PlacedSplit): WrittenPicture[] {
  const files = new Map<string, WrittenPicture>();
  for (const { file, width, height, sample } of pictures) {
    const one: WrittenPicture = files.get(file) ?? { file, width, height, annotations: [] };
    one.annotations.push(...sample.annotations);
    if (sample.byModel) one.byModel = sample.byModel;
    files.set(file, one);
  }
  return [...files.values()];
}

/** Write a small file, and the folders that it lies in. */
export async function putFile(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
