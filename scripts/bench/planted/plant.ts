// Faults put into the labels of a data set on purpose, so that it is known which labels are wrong, and how they were before.

import type { Annotation, ClassEntry, Sample } from "../../../src/data/dataset/sample.ts";
import { boxIou, type CocoBox } from "../../../src/instance/boxes.ts";
import { type Rng, rngFromSeed } from "../../../src/util/random/rng.ts";

export const PLANTED_KINDS = ["missing", "class", "place", "double"] as const;
export type PlantedKind = (typeof PLANTED_KINDS)[number];

/** `was`: the label before; `annotationId`: of the wrong label, of the second one of a double, none of one that is gone. */
export type Fault = { kind: PlantedKind; imageId: number; annotationId: number | null; was: Annotation };

type Box = Annotation["box"];

/** How much a badly placed label has in common with the object, and the second label of a double with the first (IoU). */
const PLACE = [0.3, 0.7] as const;
const DOUBLE = [0.7, 0.95] as const;

/**
 * The samples with `share` of their labels made wrong in each of the four ways (three where there is one class only); no label in two
 * ways. Labels keep their ids; second ones have new ones. The same seed plants the same faults.
 */
export function plantFaults(
  samples: readonly Sample[],
  { classes, share, seed }: { classes: readonly ClassEntry[]; share: number; seed: number },
): { samples: Sample[]; faults: Fault[] } {
  const rng = rngFromSeed(seed);
  const labels = samples.flatMap(({ annotations }, i) => annotations.filter(({ crowd }) => !crowd).map((one) => ({ i, one }))); // biome-ignore format: one line
  rng.shuffle(labels);
  const count = Math.round(share * labels.length);
  const kinds = PLANTED_KINDS.filter((kind) => kind !== "class" || classes.length > 1);
  const faults: Fault[] = [];
  const planted = samples.map((sample) => ({ ...sample, annotations: [...sample.annotations] }));
  let nextId = Math.max(0, ...labels.map(({ one }) => one.id)) + 1;
  for (const [k, kind] of kinds.entries())
    for (const { i, one } of labels.slice(k * count, (k + 1) * count)) {
      const sample = planted[i]!;
      const wrong = wrongLabel(one, { kind, classes, sample, rng });
      const at = sample.annotations.findIndex(({ id }) => id === one.id);
      if (kind === "double") sample.annotations.push({ ...wrong!, id: nextId });
      else sample.annotations.splice(at, 1, ...(wrong ? [wrong] : []));
      const annotationId = kind === "missing" ? null : kind === "double" ? nextId++ : one.id;
      faults.push({ kind, imageId: sample.imageId, annotationId, was: one });
    }
  return { samples: planted, faults };
}

function wrongLabel(
  one: Annotation,
  { kind, classes, sample, rng }: { kind: PlantedKind; classes: readonly ClassEntry[]; sample: Sample; rng: Rng },
): Annotation | undefined {
  if (kind === "missing") return undefined;
  if (kind === "class") {
    const others = classes.filter(({ label }) => label !== one.label);
    const { label, categoryId } = others[rng.int(others.length)]!;
    return { ...one, label, categoryId };
  }
  const { mask: _, ...rest } = one; // the mask would say where the object is
  const box = movedBox(one.box, { range: kind === "place" ? PLACE : DOUBLE, size: [sample.width!, sample.height!], rng }); // biome-ignore format: one line
  return { ...rest, box, area: (box[2] - box[0]) * (box[3] - box[1]) };
}

/** A box in the picture whose IoU with the given one is in a range: first one is drawn, then the move that comes nearest to it. */
function movedBox(
  box: Box,
  { range: [from, to], size, rng }: { range: readonly [number, number]; size: readonly [number, number]; rng: Rng },
): Box {
  for (;;) {
    const wanted = from + (to - from) * rng.uniform();
    const way = Array.from({ length: 4 }, () => rng.normal());
    const at = (step: number) => stepped(box, way, { step, size });
    let [low, high] = [0, 4];
    for (let i = 0; i < 40; i++) {
      const middle = (low + high) / 2;
      if (overlap(box, at(middle)) > wanted) low = middle;
      else high = middle;
    }
    const found = at(low);
    const iou = overlap(box, found);
    if (found[2] - found[0] > 2 && found[3] - found[1] > 2 && iou >= from && iou <= to) return found;
  }
}

/** Moved and resized by normal numbers, in parts of its sides. */
function stepped(
  [x1, y1, x2, y2]: Box,
  way: readonly number[],
  { step, size: [width, height] }: { step: number; size: readonly [number, number] },
): Box {
  // biome-ignore format: one line
  const [w, h] = [x2 - x1, y2 - y1];
  const [cx, cy] = [(x1 + x2) / 2 + 0.5 * step * way[0]! * w, (y1 + y2) / 2 + 0.5 * step * way[1]! * h];
  const [nw, nh] = [w * Math.exp(0.5 * step * way[2]!), h * Math.exp(0.5 * step * way[3]!)];
  const round = (value: number, most: number) => Math.round(100 * Math.min(Math.max(value, 0), most)) / 100;
  return [round(cx - nw / 2, width), round(cy - nh / 2, height), round(cx + nw / 2, width), round(cy + nh / 2, height)];
}

function overlap(a: Box, b: Box): number {
  const asCoco = ([x1, y1, x2, y2]: Box): CocoBox => [x1, y1, x2 - x1, y2 - y1];
  return boxIou(asCoco(a), asCoco(b));
}
