import { expect, test } from "vitest";
import type { ImageDetections } from "../detections.ts";
import { maskRuns } from "../masks/maskRuns.ts";
import { decodeRuns, encodeRuns, packMask } from "../masks/runs.ts";
import { type PartArea, partsOf, type Slices, wholeArea } from "./layout.ts";
import { mergeViews, type View } from "./merge.ts";

const SLICES: Slices = { size: 100, overlap: 0.2 };
const PICTURE = [180, 180] as const; // four parts, whose seams cross at 80 to 100

type Box = readonly [number, number, number, number];
type Thing = { box: Box; label?: number; score?: number; mask?: Uint8Array };

/** What a faultless model finds in a view: the piece of each thing that lies in it, at least so many pixels. */
function see(area: PartArea, things: readonly Thing[], { least = 5 } = {}): View {
  const { left, top, width, height } = area;
  const seen = things.flatMap((thing) => {
    const [x1, y1, x2, y2] = thing.box;
    const box = [Math.max(x1 - left, 0), Math.max(y1 - top, 0), Math.min(x2 - left, width), Math.min(y2 - top, height)];
    return box[2]! - box[0]! >= least && box[3]! - box[1]! >= least ? [{ ...thing, box }] : [];
  });
  const masks = things.some(({ mask }) => mask);
  const shapes = !masks
    ? []
    : seen.map(({ mask }) => {
        const pixels = new Uint8Array(width * height);
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) pixels[y * width + x] = mask![(y + top) * area.picture[1] + x + left]!;
        return { mask: packMask(encodeRuns(pixels, [height, width])) };
      });
  const found: ImageDetections = {
    boxes: Float32Array.from(seen.flatMap(({ box }) => box)),
    labels: Int32Array.from(seen, ({ label = 0 }) => label),
    scores: Float32Array.from(seen, ({ score = 0.5 }) => score),
    ...(masks && { shapes }),
  };
  return { area, found };
}

function parts(things: readonly Thing[], { picture = PICTURE }: { picture?: PartArea["picture"] } = {}): View[] {
  return partsOf(picture, SLICES).map((area) => see(area, things));
}

const boxes = ({ boxes: all }: ImageDetections) => Array.from({ length: all.length / 4 }, (_, i) => [...all.slice(4 * i, 4 * i + 4)]); // biome-ignore format: one line

test("an object that four seams cut is found once, whole, whether one part sees all of it or none does", () => {
  for (const box of [
    [84, 84, 96, 97],
    [60, 60, 120, 130],
    [10, 20, 170, 175],
    [50, 85, 130, 95],
  ] as const) {
    // biome-ignore format: one line
    const views = parts([{ box }]);
    expect(views.filter(({ found }) => found.labels.length > 0).length, String(box)).toBeGreaterThan(1);
    expect(boxes(mergeViews(views, SLICES)), String(box)).toEqual([box]);
    const whole = see(wholeArea(PICTURE), [{ box, score: 0.9 }]);
    const merged = mergeViews([whole, ...views], SLICES);
    expect(boxes(merged), String(box)).toEqual([box]);
  }
});

test("a picture of many parts has an object across several of them once", () => {
  const picture = [500, 700] as const;
  const things = [{ box: [30, 40, 640, 450] }, { box: [210, 300, 260, 360], label: 1 }] as const;
  const views = parts(things, { picture });
  const merged = mergeViews(views, SLICES);
  expect([...merged.labels].sort()).toEqual([0, 1]);
  expect(boxes(merged)).toContainEqual([30, 40, 640, 450]);
  expect(boxes(merged)).toContainEqual([210, 300, 260, 360]);
});

test("neighbours stay apart: what one view sees as two objects is two, and another class is another object", () => {
  const things = [{ box: [82, 20, 92, 34] }, { box: [84, 22, 96, 36] }, { box: [83, 21, 94, 35], label: 1 }] as const;
  const merged = mergeViews(parts(things), SLICES);
  expect(boxes(merged)).toHaveLength(3);
  for (const { box } of things) expect(boxes(merged)).toContainEqual([...box]);
});

test("a small object beside a cut large one of its class is not taken for a piece of it", () => {
  const things = [{ box: [5, 5, 160, 70] }, { box: [110, 20, 125, 40], score: 0.8 }] as const;
  const merged = mergeViews(parts(things), SLICES);
  expect(boxes(merged)).toEqual([[110, 20, 125, 40], [5, 5, 160, 70]]); // biome-ignore format: one line
  expect([...merged.scores].map((score) => score.toFixed(1))).toEqual(["0.8", "0.5"]);
});

test("an object seen whole is as the surest such view has it, with the highest score, and a piece changes nothing of that", () => {
  const [topLeft, topRight] = partsOf(PICTURE, SLICES) as [PartArea, PartArea];
  const views = [
    see(topLeft, [{ box: [86, 20, 101, 40], score: 0.9 }]), // cut at 100
    see(topRight, [{ box: [84.5, 21, 111, 41], score: 0.6 }]),
  ];
  const merged = mergeViews(views, SLICES);
  expect(boxes(merged)).toEqual([[84.5, 21, 111, 41]]);
  expect(merged.scores[0]).toBeCloseTo(0.9, 6);
});

test("the whole picture is asked for what is too long for a part only, and a picture without parts for all", () => {
  const things = [{ box: [10, 10, 25, 25] }, { box: [10, 40, 35, 60] }] as const;
  const whole = see(wholeArea(PICTURE), things);
  const empty = parts([]);
  expect(boxes(mergeViews([whole, ...empty], SLICES))).toEqual([[10, 40, 35, 60]]);
  expect(mergeViews([whole], SLICES)).toBe(whole.found);
});

test("masks are those of the whole picture, put together of their pieces", () => {
  const mask = new Uint8Array(PICTURE[0] * PICTURE[1]);
  for (let y = 60; y < 130; y++) for (let x = 60; x < 120; x++) mask[y * PICTURE[1] + x] = Number(Math.hypot(x - 90, y - 95) < 33); // biome-ignore format: one line
  const merged = mergeViews(parts([{ box: [60, 62, 123, 128], mask }]), SLICES);
  expect(merged.shapes).toHaveLength(1);
  const runs = maskRuns(merged.shapes![0]!.mask!, { size: PICTURE, where: "here" });
  expect([...decodeRuns(runs)]).toEqual([...mask]);
});

test("of each class as many are kept as are asked for, the best", () => {
  const things = Array.from({ length: 12 }, (_, i): Thing => {
    return { box: [10 * i + 1, 10, 10 * i + 9, 18], label: i % 2, score: 0.1 + i / 20 };
  });
  const merged = mergeViews(parts(things), SLICES, { mostOfClass: 2 });
  expect([...merged.labels]).toEqual([1, 0, 1, 0]);
  expect(mergeViews(parts(things), SLICES, { least: 0.5 }).scores).toHaveLength(4);
});
