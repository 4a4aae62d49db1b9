// What masks a data set has, and what is wrong with them: those that cannot be used, are empty, have holes or lie elsewhere than their box.

import { boxIou, type CocoBox } from "../../../instance/boxes.ts";
import { maskRuns } from "../../../instance/masks/maskRuns.ts";
import { framedPixels, type Region, regionOf } from "../../../instance/masks/overlap.ts";
import { UserError } from "../../../util/errors.ts";
import type { Dataset } from "../dataset.ts";
import { type Annotation, type Problem, type Sample, SPLITS, type Split } from "../sample.ts";

/** Crowds are not counted. `without`: objects that have no mask. */
export type MaskCounts = { masks: number; without: number; empty: number; withHoles: number; offBox: number };

/** The box around a mask may differ by so many pixels a side, or else have this much in common with the annotated one. */
const NEAR = 2;
const LEAST_IOU = 0.7;

/**
 * Draw the masks of an image's objects: what they are, one problem for each that is wrong. `size` is the image's. The time for
 * one mask is that of its pixels.
 */
export function judgeMasks(
  { file, annotations }: Sample,
  size: readonly [height: number, width: number],
  { name, polygons, annotations: from }: Split,
): { counts: MaskCounts; problems: Problem[] } {
  const counts = { masks: 0, without: 0, empty: 0, withHoles: 0, offBox: 0 };
  const problems: Problem[] = [];
  for (const annotation of annotations) {
    const { id, mask, crowd } = annotation;
    if (!mask) {
      if (!crowd) counts.without++;
      continue;
    }
    const add = (kind: Problem["kind"], message: string) =>
      problems.push({ kind, severity: "warning", split: name, file, annotationId: id, message });
    const where = `${from}: annotation ${id} (image ${file})`;
    if (!crowd) counts.masks++;
    try {
      const region = regionOf(maskRuns(mask, { size, rule: polygons ?? "coco", where }));
      if (crowd) continue;
      if (region.area === 0) {
        counts.empty++;
        add("mask-empty", `${where} has a mask without a pixel.`);
      } else if (liesElsewhere(region, annotation, size)) {
        counts.offBox++;
        const [left, top, right, bottom] = region.box;
        add("mask-off-box", `${where} has a mask from ${left}, ${top} to ${right}, ${bottom}, but a box from ${annotation.box.slice(0, 2).join(", ")} to ${annotation.box.slice(2).join(", ")}.`); // biome-ignore format: one line
      }
      if (hasHole(region, size[0])) counts.withHoles++;
    } catch (cause) {
      if (!(cause instanceof UserError)) throw cause;
      add("mask-unusable", cause.message);
    }
  }
  return { counts, problems };
}

function liesElsewhere({ box }: Region, annotation: Annotation, [height, width]: readonly [number, number]): boolean {
  const limits = [width, height, width, height];
  const own = annotation.box.map((side, i) => Math.min(Math.max(side, 0), limits[i]!));
  if (own.every((side, i) => Math.abs(side - box[i]!) <= NEAR)) return false;
  const asCoco = ([x1, y1, x2, y2]: readonly number[]): CocoBox => [x1!, y1!, x2! - x1!, y2! - y1!];
  return boxIou(asCoco(own), asCoco(box)) < LEAST_IOU;
}

/** Whether a mask surrounds pixels that are not its own. */
function hasHole(region: Region, height: number): boolean {
  const { pixels: grid, width: across } = framedPixels(region, height); // 0 outside, 1 inside or reached
  const open = [0];
  grid[0] = 1;
  while (open.length > 0) {
    const at = open.pop()!;
    const x = at % across;
    for (const next of [x > 0 ? at - 1 : -1, x < across - 1 ? at + 1 : -1, at - across, at + across]) {
      if (next < 0 || next >= grid.length || grid[next] === 1) continue;
      grid[next] = 1;
      open.push(next);
    }
  }
  return grid.includes(0);
}

/** Of a whole split: one problem for holes, and one where only some of the objects have masks. */
export function maskProblems(
  { masks, without, withHoles }: MaskCounts,
  { name, polygons, annotations }: Split,
): Problem[] {
  const problem = (kind: Problem["kind"], says: string): Problem => {
    return { kind, severity: "warning", split: name, file: annotations, message: `${annotations}: ${says}.` };
  };
  const own = polygons === "pillow" ? "their boxes are their masks" : "a segmenter learns their boxes and classes only";
  return [
    ...(withHoles > 0 ? [problem("mask-holes", `${withHoles} of ${masks} masks have holes`)] : []),
    ...(masks > 0 && without > 0 ? [problem("mask-missing", `${without} of ${masks + without} objects have no mask: ${own}`)] : []), // biome-ignore format: one line
  ];
}

/** What stops the training of a segmenter: masks that cannot be read, and none at all. Polygons are not drawn for it. */
export function segmenterProblems(dataset: Pick<Dataset, "splits" | "problems">): Problem[] {
  return [...unusableMasks(dataset), ...noMasks(dataset)].map((problem) => ({ ...problem, severity: "error" }));
}

/** That no object has a mask, where it is not because they cannot be used. */
export function noMasks(dataset: Pick<Dataset, "splits" | "problems">): Problem[] {
  const { train } = dataset.splits;
  if (!train || train.polygons === "pillow") return [];
  if (train.samples.some(({ annotations }) => annotations.some(({ mask }) => mask))) return [];
  if (unusableMasks(dataset).length > 0) return [];
  const message = `${train.annotations}: no object has a mask, so a segmenter has nothing to learn from. Choose a variant without seg-, or annotate masks.`;
  return [{ kind: "no-masks", severity: "error", split: "train", file: train.annotations, message }];
}

function unusableMasks({ splits, problems }: Pick<Dataset, "splits" | "problems">): Problem[] {
  const found = problems.filter(({ kind }) => kind === "mask-unusable");
  for (const split of SPLITS.flatMap((name) => splits[name] ?? []))
    for (const sample of split.samples)
      if (sample.width !== null && sample.height !== null) {
        const packed = sample.annotations.filter(({ mask }) => mask && "counts" in mask);
        const judged = judgeRuns({ ...sample, annotations: packed }, [sample.height, sample.width], split);
        for (const problem of judged) found.push(problem);
      }
  return found;
}

function judgeRuns(sample: Sample, size: readonly [number, number], { name, annotations: from }: Split): Problem[] {
  return sample.annotations.flatMap(({ id, mask }): Problem[] => {
    try {
      maskRuns(mask!, { size, where: `${from}: annotation ${id} (image ${sample.file})` });
      return [];
    } catch (cause) {
      if (!(cause instanceof UserError)) throw cause;
      return [{ kind: "mask-unusable", severity: "error", split: name, file: sample.file, annotationId: id, message: cause.message }]; // biome-ignore format: one line
    }
  });
}
