// What was found in the views of a picture, in its parts and in all of it, as what was found in the picture: each object once.

import type { ImageDetections } from "../detections.ts";
import type { Mask, Shape } from "../instance.ts";
import { maskRuns } from "../masks/maskRuns.ts";
import { placeRuns } from "../masks/part.ts";
import { packMask, uniteRuns } from "../masks/runs.ts";
import type { PartArea, Slices } from "./layout.ts";
import { type Corners4, cutSides, likeness, type Seen } from "./seams.ts";

/** What was found in a part of a picture, or in all of it, in pixels of that. */
export type View = { area: PartArea; found: ImageDetections };

/** From this likeness on two views see one object; and from the second on they agree on one that they are taken to see because of others. */
const [ALIKE, AGREEING] = [0.5, 0.25];

/** An object in a view, in pixels of the picture. `view`: which one; `from`: its place among what was found there. */
type Found = Seen & { view: number; from: number; label: number; score: number };

/**
 * The objects of a picture, in falling order of score. What different views have of one class is one object where they agree on
 * what both of them see; two objects of one view never become one, as its model has told them apart. It is as the surest view has it
 * that sees it whole, a part before the whole picture; one that none sees whole is put together of its pieces. Its score is the highest.
 * `mostOfClass`: so many of each class; `least`: what scores less is not looked at. In the whole picture only what is too long to be sure to lie in a part as a whole is looked for: parts see the rest better.
 */
export function mergeViews(
  views: readonly View[],
  slices: Slices,
  { mostOfClass = Number.POSITIVE_INFINITY, least = 0 }: { mostOfClass?: number; least?: number } = {},
): ImageDetections {
  if (views.length === 1) return views[0]!.found;
  const longest = Math.trunc(slices.overlap * slices.size);
  const all = views.flatMap((one, view) => objectsOf(one, view, longest)).filter(({ score }) => score >= least);
  const groups = grouped(all);
  const objects = groups.map((group) => ({ group, score: Math.max(...group.map(({ score }) => score)) }));
  objects.sort((a, b) => b.score - a.score);
  const made = best(objects, mostOfClass).map(({ group, score }) => ({
    score,
    label: group[0]!.label,
    ...asOne(group, views),
  }));
  const masks = views.some(({ found }) => found.shapes);
  return {
    boxes: Float32Array.from(made.flatMap(({ box }) => box)),
    scores: Float32Array.from(made, ({ score }) => score),
    labels: Int32Array.from(made, ({ label }) => label),
    ...(masks && { shapes: made.map(({ mask }): Shape => (mask ? { mask } : {})) }),
  };
}

/** The first so many of each class. */
function best(objects: { group: Found[]; score: number }[], most: number): typeof objects {
  const counts = new Map<number, number>();
  return objects.filter(({ group }) => {
    const { label } = group[0]!;
    counts.set(label, (counts.get(label) ?? 0) + 1);
    return counts.get(label)! <= most;
  });
}

function objectsOf({ area, found }: View, view: number, longest: number): Found[] {
  const { left, top } = area;
  const everything = isWhole(area);
  return Array.from(found.labels, (label, from): Found => {
    const [x1, y1, x2, y2] = found.boxes.subarray(4 * from, 4 * from + 4) as unknown as Corners4;
    const box = [x1 + left, y1 + top, x2 + left, y2 + top] as const;
    return { view, from, label, score: found.scores[from]!, box, area, cut: cutSides(box, area) };
  }).filter(({ box }) => !everything || Math.max(box[2] - box[0], box[3] - box[1]) > longest);
}

/** Which of them are one object: the surest pairs first, never two of one view, and only what agrees with all that is there. */
function grouped(all: readonly Found[]): Found[][] {
  const pairs = alikePairs(all);
  pairs.sort((a, b) => b.strength - a.strength || a.first - b.first || a.second - b.second);
  const groups = all.map((_, i) => [i]);
  const agree = (i: number, j: number) => {
    const [a, b] = [all[i]!, all[j]!];
    return a.view !== b.view && (likeness(a, b) ?? 1) >= AGREEING;
  };
  for (const { first, second } of pairs) {
    const [group, other] = [groups[first]!, groups[second]!];
    if (group === other || !group.every((i) => other.every((j) => agree(i, j)))) continue;
    group.push(...other);
    for (const i of other) groups[i] = group;
  }
  return [...new Set(groups)].map((group) => group.map((i) => all[i]!));
}

type Pair = { first: number; second: number; strength: number };

/** Pairs of one class and of two views that look alike, found from the left to the right of the picture. */
function alikePairs(all: readonly Found[]): Pair[] {
  const order = all.map((_, i) => i);
  order.sort((a, b) => all[a]!.label - all[b]!.label || all[a]!.box[0] - all[b]!.box[0] || a - b);
  const pairs: Pair[] = [];
  let near: number[] = [];
  for (const i of order) {
    const one = all[i]!;
    near = near.filter((j) => all[j]!.label === one.label && all[j]!.box[2] > one.box[0]);
    for (const j of near) {
      const other = all[j]!;
      if (other.view === one.view || other.box[1] >= one.box[3] || one.box[1] >= other.box[3]) continue;
      const like = likeness(one, other) ?? 0;
      if (like < ALIKE) continue;
      // sure and alike: what a view hardly believes in must not take the place of what it has surely found
      const strength = like * Math.min(one.score, other.score);
      pairs.push({ first: Math.min(i, j), second: Math.max(i, j), strength });
    }
    near.push(i);
  }
  return pairs;
}

/** The box and the mask of what several views have of one object. */
function asOne(group: readonly Found[], views: readonly View[]): { box: Corners4; mask: Mask | undefined } {
  const finest = [...group].sort((a, b) => Number(isWhole(a.area)) - Number(isWhole(b.area)) || b.score - a.score);
  const sure = finest.find(({ cut, area }) => !cut.includes(true) && (group.length === 1 || !isWhole(area)));
  const members = sure ? [sure] : finest;
  const entire = finest.find(({ area }) => isWhole(area));
  return { box: sure?.box ?? entire?.box ?? joinedBox(finest), mask: joinedMask(members, views) };
}

/** Each side as the finest view has it that does not cut it, else the outermost. */
function joinedBox(finest: readonly Found[]): Corners4 {
  const outer = (side: number) => finest.map(({ box }) => box[side]!).reduce((a, b) => (side < 2 ? Math.min(a, b) : Math.max(a, b))); // biome-ignore format: one line
  const known = (side: number) => finest.find(({ cut }) => !cut[side])?.box[side] ?? outer(side);
  const box = [known(0), known(1), known(2), known(3)] as const;
  return box[2] > box[0] && box[3] > box[1] ? box : [outer(0), outer(1), outer(2), outer(3)];
}

/** What any of the pieces has inside; undefined where none has a mask. */
function joinedMask(members: readonly Found[], views: readonly View[]): Mask | undefined {
  const placed = members.flatMap(({ view, from, area }) => {
    const mask = views[view]!.found.shapes?.[from]?.mask;
    return mask ? [{ mask, area }] : [];
  });
  const [first] = placed;
  if (!first) return undefined;
  if (placed.length === 1 && isWhole(first.area)) return first.mask;
  const { picture } = first.area;
  const runs = placed.map(({ mask, area }) => {
    const own = maskRuns(mask, { size: [area.height, area.width], where: "A detection" });
    return isWhole(area) ? own : placeRuns(own, area, picture);
  });
  return packMask(uniteRuns(runs, picture));
}

function isWhole({ width, height, picture }: PartArea): boolean {
  return height === picture[0] && width === picture[1];
}
