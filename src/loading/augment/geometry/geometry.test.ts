import { expect, test } from "vitest";
import { toTarget, trainingBoxes } from "../../../data/dataset/sample.ts";
import type { Rgb } from "../../../data/image/decode.ts";
import { resizeNormalised } from "../../../data/image/resize.ts";
import type { Mask } from "../../../instance/instance.ts";
import { polygonRuns } from "../../../instance/masks/polygon.ts";
import { packMask } from "../../../instance/masks/runs.ts";
import { rngFromSeed } from "../../../util/random/rng.ts";
import { changeBoxes, changeImage } from "../apply.ts";
import { drawMasks } from "../drawMasks.ts";
import { drawChanges } from "../many/layers.ts";
import type { AugmentStep, GeometrySettings } from "../settings.ts";
import type { Change, Size } from "../step.ts";
import { warpPixels } from "./pixels.ts";

/** Seeds of each step; AUGMENT_SEEDS=10000 takes minutes. */
const SEEDS = Number(process.env.AUGMENT_SEEDS ?? 20);

const SIDE = 150;
const [RECTANGLE, POLYGON, RUNS] = ["a box alone", "a polygon", "run lengths"] as const;

/** Black, with a white rectangle. */
function picture({ width, height }: Size, [x1, y1, x2, y2]: readonly number[]): Rgb {
  const data = new Uint8Array(3 * width * height);
  for (let y = y1!; y < y2!; y++) data.fill(255, 3 * (width * y + x1!), 3 * (width * y + x2!));
  return { data, width, height };
}

function maskOf(kind: string, [x1, y1, x2, y2]: readonly [number, number, number, number], size: Size): Mask | null {
  const polygon = [x1, y1, x2, y1, x2, y2, x1, y2];
  if (kind === RECTANGLE) return null;
  return kind === POLYGON ? { polygons: [polygon] } : packMask(polygonRuns(polygon, [size.height, size.width]));
}

const STEPS: GeometrySettings[] = [
  { name: "scale_jitter", p: 1 },
  { name: "horizontal_flip", p: 1 },
  { name: "vertical_flip", p: 1 },
  { name: "transpose", p: 1 },
  { name: "random_rotate90", p: 1 },
  { name: "rotate", limit: [-180, 180], fill: 0, p: 1 },
  {
    name: "affine",
    scale: { x: [0.7, 1.4], y: [0.7, 1.4] },
    translate_percent: [-0.2, 0.2],
    rotate: [-40, 40],
    shear: { x: [-20, 20], y: [-10, 10] },
    keep_ratio: false,
    balanced_scale: true,
    fill: 0,
    p: 1,
  },
  { name: "shift_scale_rotate", shift_limit: 0.1, scale_limit: 0.2, rotate_limit: 45, fill: 0, p: 1 },
  { name: "perspective", scale: [0.05, 0.15], fill: 0, p: 1 },
  { name: "random_scale", scale_limit: 0.3, p: 1 },
  { name: "random_crop", height: 240, width: 250, p: 1 },
  { name: "random_resized_crop", scale: [0.3, 1], ratio: [0.75, 1.3333], p: 1 },
  { name: "random_sized_bbox_safe_crop", erosion_rate: 0.2, p: 1 },
];

const CHAIN: AugmentStep[] = [
  { name: "horizontal_flip", p: 0.5 },
  STEPS.find(({ name }) => name === "random_resized_crop")!,
  { name: "random_gamma", gamma_limit: [90, 110], p: 0.5 },
  { name: "rotate", limit: 30, fill: 0, p: 0.7 },
  { name: "vertical_flip", p: 0.5 },
  { name: "horizontal_flip", p: 0.5 },
  { name: "perspective", scale: [0.02, 0.05], fill: 0, p: 0.7 },
  { name: "random_rotate90", p: 0.5 },
  { name: "random_crop", height: 120, width: 130, p: 0.5 },
];

/** How far the box, in pixels of the model's square, is from the white pixels, and where mask and white pixels are apart by more than one pixel. */
function measure(augment: readonly AugmentStep[], kind: string, seed: number) {
  const shape = rngFromSeed(seed, 77);
  const size = { width: 300 + shape.int(200), height: 300 + shape.int(200) };
  const [x, y] = [40 + shape.int(100), 40 + shape.int(100)];
  const box = [x, y, x + 40 + shape.int(100), y + 40 + shape.int(100)] as [number, number, number, number];
  const mask = maskOf(kind, box, size);
  const annotation = { id: 1, categoryId: 1, label: 0, area: 1, crowd: false, box, ...(mask && { mask }) };
  const image = picture(size, box);
  const boxes = trainingBoxes([annotation], size.width, size.height, { masks: true });
  const changes = drawChanges(rngFromSeed(seed), size, { augment, side: SIDE, boxes });
  const told = changeBoxes(boxes, size, changes);
  const { image: changed, mirrored } = changeImage(image, changes);
  const pixels = new Float32Array(3 * SIDE * SIDE);
  resizeNormalised(changed, SIDE, { out: pixels, mirror: mirrored });
  const [trace, fainter, faint, quarter, half, bright] = [0.01, 0.04, 0.1, 0.25, 0.5, 0.75].map((share) =>
    Uint8Array.from({ length: SIDE * SIDE }, (_, i) => (pixels[3 * i]! > (share - 0.485) / 0.229 ? 1 : 0)),
  ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const [cx, cy, w, h] = toTarget(told.boxes, told.frame.width, told.frame.height).boxes;
  const drawn = mask ? drawMasks([annotation], { size, changes, side: SIDE, file: "a.png" }).pixels : null;
  const seen = [half, quarter, faint, fainter, trace].map(whiteBox);
  const isThere = told.boxes.labels.length > 0;
  const corners = [cx! - w! / 2, cy! - h! / 2, cx! + w! / 2, cy! + h! / 2].map((v) => v * SIDE);
  // Of a turned box that reaches out of the picture nobody knows what is seen of the object; and where two edges that are nearly parallel cut
  // it, one after the other, there is a wedge thinner than any pixel.
  const isWhole = corners.every((v) => v > 0.01 && v < SIDE - 0.01);
  const isKnown = isWhole || !changes.some(({ warp }) => warp) || (mask !== null && augment.length === 1);
  return {
    box:
      seen[0] && isThere && isKnown
        ? Math.max(
            ...corners.map((v, i) =>
              off(
                v,
                seen.map((one) => one![i]!),
              ),
            ),
          )
        : null,
    missed: seen[0] !== null && !isThere,
    apart: drawn ? lonely(drawn, trace) + lonely(bright, drawn) : 0,
    changes,
  };
}

/** How far a side is from where white pixels end, from the brightest to the faintest. Of a tip that is thinner than a pixel only this is known: where it becomes faint. */
function off(side: number, ends: readonly number[]): number {
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  if (most - least > 2 && side >= least && side <= most) return 0;
  return Math.min(...ends.map((end) => Math.abs(side - end)));
}

function whiteBox(white: Uint8Array): number[] | null {
  if (!white.includes(1)) return null;
  const box = [SIDE, SIDE, 0, 0];
  for (const [i, one] of white.entries()) {
    if (one === 0) continue;
    const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
    box.splice(0, 4, Math.min(box[0]!, x), Math.min(box[1]!, y), Math.max(box[2]!, x + 1), Math.max(box[3]!, y + 1));
  }
  return box;
}

/** Pixels of the one that are none of the other, nor is any of their neighbours. */
function lonely(one: Uint8Array, other: Uint8Array): number {
  return one.reduce((sum, inside, i) => {
    if (inside === 0 || other[i] === 1) return sum;
    const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
    for (let dy = -1; dy <= 1; dy++)
      for (let dx = -1; dx <= 1; dx++)
        if (x + dx >= 0 && x + dx < SIDE && other[(y + dy) * SIDE + x + dx] === 1) return sum;
    return sum + 1;
  }, 0);
}

const CASES = [...STEPS.map((step) => [step.name, [step]] as const), ["several steps", CHAIN] as const];

test.each(CASES)(
  "boxes and masks go with the pixels: %s",
  (name, augment) => {
    let [seen, changed, worst] = [0, 0, 0];
    for (let seed = 0; seed < SEEDS; seed++)
      for (const kind of [RECTANGLE, POLYGON, RUNS]) {
        if (kind === RECTANGLE && name === "several steps") continue; // the box around a box that was turned is larger
        const { box, missed, apart, changes } = measure(augment, kind, seed);
        const about = `seed ${seed}, ${kind}: ${JSON.stringify(changes)}`;
        expect(box ?? 0, about).toBeLessThanOrEqual(1);
        expect([missed, apart], about).toEqual([false, 0]);
        worst = Math.max(worst, box ?? 0);
        if (box !== null) seen++;
        if (changes.length > 0) changed++;
      }
    if (process.env.AUGMENT_SEEDS) console.log(`${name}: ${seen} boxes, at most ${worst.toFixed(2)} pixels off`);
    expect(seen).toBeGreaterThan(SEEDS / 2);
    expect(changed).toBeGreaterThan(SEEDS);
  },
  600_000,
);

test("how many numbers a step draws depends on its settings alone", () => {
  for (const step of STEPS)
    for (const p of [0, 1]) {
      const next = [{ width: 40, height: 900 }, { width: 640, height: 480 }].map((size, i) => {
        const rng = rngFromSeed(5);
        const boxes = trainingBoxes([], size.width, size.height, { masks: true });
        drawChanges(rng, size, { augment: [{ ...step, p }], side: 64 + i, boxes });
        return rng.uniform();
      }); // biome-ignore format: one line
      expect(next[0], `${step.name} ${p}`).toBe(next[1]);
    }
});

test("a warp keeps pixels where it moves nothing, moves whole ones as they are, and fills what comes from outside", () => {
  const image: Rgb = { data: Uint8Array.from({ length: 3 * 20 }, (_, i) => 7 * i), width: 5, height: 4 };
  const same = warpPixels(image, { matrix: [1, 0, 0, 0, 1, 0, 0, 0, 1], fill: [9, 9, 9] });
  expect(same).toEqual(image);
  const right = warpPixels(image, { matrix: [1, 0, 2, 0, 1, 0, 0, 0, 1], fill: [9, 8, 7] });
  expect([...right.data.subarray(0, 9)]).toEqual([9, 8, 7, 9, 8, 7, ...image.data.subarray(0, 3)]);
  const half = warpPixels(image, { matrix: [1, 0, 0.5, 0, 1, 0, 0, 0, 1], fill: [9, 9, 9] });
  expect([...half.data.subarray(0, 6)]).toEqual([0, 7, 14, 21, 28, 35].map((v, i) => Math.round(i < 3 ? (v + 9) / 2 : v - 10.5))); // biome-ignore format: one line
});

test("turning by 90 degrees is turning whole pixels counter-clockwise", () => {
  const data = Uint8Array.from({ length: 3 * 36 }, (_, i) => (31 * i) % 251);
  const image: Rgb = { data, width: 6, height: 6 };
  const boxes = trainingBoxes([], 6, 6, { masks: true });
  const turn = { name: "rotate", limit: [90, 90], fill: 0, p: 1 } as const;
  const changes = drawChanges(rngFromSeed(1), image, { augment: [turn], side: 6, boxes });
  const plain: Change[] = [{ transpose: true, upsideDown: true }];
  expect(changeImage(image, changes).image).toEqual(changeImage(image, plain).image);
});

test("mirrored before, between and after: the same picture as with the mirror done at once", () => {
  const image = picture({ width: 40, height: 30 }, [5, 4, 20, 12]);
  const steps: Change[] = [
    { resize: { width: 32, height: 32 } },
    { warp: { matrix: [0.9, 0.2, 3, -0.2, 0.9, 4, 0, 0, 1], fill: [0, 0, 0] } },
    { transpose: true },
    { upsideDown: true },
  ];
  for (let at = 0; at <= steps.length; at++) {
    const late = changeImage(image, [...steps.slice(0, at), { mirror: true }, ...steps.slice(at)]);
    // turned there and back, so that the mirror is done in pixels
    const again: Change[] = [{ mirror: true }, { transpose: true }, { transpose: true }];
    const early = changeImage(image, [...steps.slice(0, at), ...again, ...steps.slice(at)]);
    const [a, b] = [late, early].map((one) => (one.mirrored ? changeImage(one.image, [{ mirror: true }, { transpose: true }, { transpose: true }]).image : one.image)); // biome-ignore format: one line
    const difference = a!.data.reduce((most, v, i) => Math.max(most, Math.abs(v - b!.data[i]!)), 0);
    expect(difference, String(at)).toBeLessThanOrEqual(1);
  }
});
