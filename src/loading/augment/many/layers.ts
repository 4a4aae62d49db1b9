// What is drawn for an image and its partners: what is done to which picture, and which objects come to where.

import type { PixelBoxes } from "../../../data/dataset/sample.ts";
import type { Rng } from "../../../util/random/rng.ts";
import { changeBoxes } from "../apply.ts";
import { type Augment, stepsOf } from "../augment.ts";
import type { AugmentStep } from "../settings.ts";
import { type Change, type Size, sizeAfter } from "../step.ts";
import { drawStep, isMany, worksOn } from "../steps.ts";
import { chosenObjects } from "./copyPaste.ts";
import { drawMosaic } from "./mosaic.ts";

/** A picture: the size that it is read in, and its boxes in an image of size `frame`, which may be another one. */
export type Source = { size: Size; frame: Size; boxes: PixelBoxes };

/** Objects of a source and all that was done to them since the file. `only`: so many of its boxes, by their place. */
export type Layer = { source: number; changes: Change[]; only?: readonly number[] };

/** What is done to the picture, one act after another. Cells, and the picture mixed in or pasted from, come from files. */
export type Act =
  | { kind: "change"; change: Change }
  | { kind: "mosaic"; cells: { source: number; cut: Change; onto: Change }[] }
  | { kind: "mixup"; source: number; resize: Change; share: number }
  | { kind: "paste"; source: number; resize: Change; only: readonly number[] };

export type Drawn = { acts: Act[]; layers: Layer[] };

/** Partners that a step takes. */
const TAKES = { mosaic: 3, mixup: 1, copy_paste: 1 } as const;

/** How many other pictures the steps may ask for. */
export function partnersFor(steps: readonly AugmentStep[]): number {
  return steps.reduce((sum, step) => sum + (isMany(step) ? TAKES[step.name] : 0), 0);
}

/** The partners, from 1, that are taken for an image whose numbers come from this stream. */
export function partnersTaken(rng: Rng, augment: Augment): ReadonlySet<number> {
  const nothing: Source = {
    size: SQUARE,
    frame: SQUARE,
    boxes: { boxes: new Float64Array(), labels: new Int32Array() },
  };
  const sources = Array.from({ length: 1 + partnersFor(stepsOf(augment)) }, () => nothing);
  const { acts } = drawLayers(rng, sources, { augment, side: SQUARE.width });
  return new Set(
    acts.flatMap((act) => (act.kind === "change" ? [] : act.kind === "mosaic" ? act.cells.map(({ source }) => source) : [act.source])),
  ); // biome-ignore format: one line
}

const SQUARE: Size = { width: 64, height: 64 };

/**
 * Draw what to do to an image, the first of the sources, step by step. As in the reference, it is brought to the square of `side` x `side` that
 * the model sees before the first step that is not for the pixels of a file. A step whose partners
 * are not among the sources is left out.
 */
export function drawLayers(
  rng: Rng,
  sources: readonly Source[],
  { augment, side }: { augment: Augment; side: number },
): Drawn {
  const square = { width: side, height: side };
  const layers: Layer[] = [{ source: 0, changes: [] }];
  const acts: Act[] = [];
  let now = sources[0]!.size;
  let [due, done] = [false, false];
  const change = (one: Change) => {
    for (const { changes } of layers) changes.push(one);
    acts.push({ kind: "change", change: one });
    now = sizeAfter(one, now);
  };
  const toSquare = () => {
    if (!done) change({ resize: square });
    [due, done, now] = [true, true, square];
  };
  const seen = () => seenIn(layers, sources);
  let partner = 1;
  for (const step of stepsOf(augment)) {
    if (worksOn(step) === "square" && !due) [due, now] = [true, square];
    if (!isMany(step)) {
      const drawn = drawStep(rng, step, { size: now, seen });
      if (!drawn) continue;
      if (due && !done && worksOn(step) !== "either") toSquare();
      change(drawn);
      continue;
    }
    const first = partner;
    partner += TAKES[step.name];
    const isDone = rng.uniform() < step.p && sources.length >= partner;
    if (step.name === "mosaic") {
      const cells = drawMosaic(rng, step, {
        side,
        sizes: [now, ...[0, 1, 2].map((i) => sources[first + i]?.size ?? square)],
      });
      if (!isDone) continue;
      for (const { changes } of layers) changes.push(cells[0]!.cut, cells[0]!.onto);
      const others = cells.slice(1).map((cell, i) => ({ ...cell, source: first + i }));
      layers.push(...others.map(({ source, cut, onto }) => ({ source, changes: [cut, onto] })));
      acts.push({ kind: "mosaic", cells: [{ ...cells[0]!, source: 0 }, ...others] });
      [due, done, now] = [true, true, square];
    } else if (step.name === "mixup") {
      const [low, high] = [step.share_range[0]!, step.share_range[1]!];
      const share = low + (high - low) * rng.uniform();
      if (!isDone) continue;
      toSquare();
      layers.push({ source: first, changes: [{ resize: square }] });
      acts.push({ kind: "mixup", source: first, resize: { resize: square }, share });
    } else {
      const seed = rng.int(2 ** 32);
      if (!isDone) continue;
      toSquare();
      const only = chosenObjects(sources[first]!, { seed, share: step.share, seen: seen() });
      layers.push({ source: first, changes: [{ resize: square }], only });
      acts.push({ kind: "paste", source: first, resize: { resize: square }, only });
    }
  }
  return { acts, layers };
}

/** What is drawn for an image whose steps take no other one. */
export function drawChanges(
  rng: Rng,
  size: Size,
  { boxes, frame = size, ...about }: { augment: Augment; side: number; boxes: PixelBoxes; frame?: Size },
): Change[] {
  return drawLayers(rng, [{ size, frame, boxes }], about).layers[0]!.changes;
}

/** The boxes of some layers where they are now. */
function seenIn(layers: readonly Layer[], sources: readonly Source[]) {
  const all = layers.map((layer) => {
    const { boxes, frame } = sources[layer.source]!;
    return changeBoxes(some(boxes, layer.only), frame, layer.changes);
  });
  return { boxes: Float64Array.from(all.flatMap(({ boxes }) => [...boxes.boxes])), frame: all[0]!.frame };
}

/** Those at some places. */
export function some(boxes: PixelBoxes, only: readonly number[] | undefined): PixelBoxes {
  if (!only) return boxes;
  const { shapes, annotations } = boxes;
  return {
    boxes: Float64Array.from(only.flatMap((i) => [...boxes.boxes.subarray(4 * i, 4 * i + 4)])),
    labels: Int32Array.from(only, (i) => boxes.labels[i]!),
    ...(shapes && { shapes: only.map((i) => shapes[i]!) }),
    ...(annotations && { annotations: only.map((i) => annotations[i]!) }),
  };
}
