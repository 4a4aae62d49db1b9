import { expect, test } from "vitest";
import { toTarget, trainingBoxes } from "../../../data/dataset/sample.ts";
import type { Rgb } from "../../../data/image/decode.ts";
import { rngFromSeed } from "../../../util/random/rng.ts";
import { changeBoxes } from "../apply.ts";
import { drawMasks, drawTogether } from "../drawMasks.ts";
import type { AugmentStep } from "../settings.ts";
import { drawLayers, partnersTaken, type Source, some } from "./layers.ts";
import { paint } from "./paint.ts";

const SIDE = 120;
const COLOURS = [[200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0]] as const; // biome-ignore format: one line

/** Four pictures, each with an object of its own colour and a polygon around it. */
function pictures(seed: number) {
  return COLOURS.map((colour, label) => {
    const shape = rngFromSeed(seed, label);
    const size = { width: 200 + shape.int(150), height: 200 + shape.int(150) };
    const [x, y] = [60 + shape.int(30), 60 + shape.int(30)];
    const box = [x, y, x + 40 + shape.int(40), y + 40 + shape.int(40)] as [number, number, number, number];
    const [x1, y1, x2, y2] = box;
    const pixels: Rgb = { data: new Uint8Array(3 * size.width * size.height).fill(20), ...size };
    for (let row = y1; row < y2; row++)
      for (let column = x1; column < x2; column++) pixels.data.set(colour, 3 * (row * size.width + column));
    const mask = { polygons: [[x1, y1, x2, y1, x2, y2, x1, y2]] };
    const annotations = [{ id: label, categoryId: 1, label, area: 1, crowd: false, box, mask }];
    const boxes = trainingBoxes(annotations, size.width, size.height, { masks: true });
    return { pixels, source: { size, frame: size, boxes } as Source };
  });
}

function done(augment: readonly AugmentStep[], seed: number) {
  const all = pictures(seed);
  const sources = all.map(({ source }) => source);
  const { acts, layers } = drawLayers(rngFromSeed(seed), sources, { augment, side: SIDE });
  const about = { side: SIDE, file: "a.png" };
  const { image, mirrored } = paint(acts, {
    pixels: (i) => all[i]!.pixels,
    masks: (i, only, resize) => {
      const { annotations } = some(sources[i]!.boxes, only);
      return drawTogether(annotations!, { ...about, size: sources[i]!.size, changes: [resize] });
    },
  });
  const told = layers.flatMap(({ source, changes, only }) => {
    const { boxes, frame } = changeBoxes(some(sources[source]!.boxes, only), sources[source]!.frame, changes);
    const target = toTarget(boxes, frame.width, frame.height);
    const masks = drawMasks(boxes.annotations!, { ...about, size: sources[source]!.size, changes });
    return Array.from(target.labels, (label, n) => {
      const [cx, cy, w, h] = Array.from(target.boxes.subarray(4 * n, 4 * n + 4), (v) => v * SIDE) as [number, number, number, number]; // biome-ignore format: one line
      const mask = masks.pixels.subarray(n * SIDE * SIDE, (n + 1) * SIDE * SIDE);
      return { label, box: [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], mask: boxOf(mask) };
    });
  });
  const seen = COLOURS.map((colour) =>
    boxOf(
      Uint8Array.from({ length: SIDE * SIDE }, (_, i) => {
        const column = mirrored ? SIDE - 1 - (i % SIDE) : i % SIDE;
        const at = 3 * (Math.floor(i / SIDE) * SIDE + column);
        return colour.every((value, c) => Math.abs(image.data[at + c]! - value) < 90) ? 1 : 0;
      }),
    ),
  );
  return { told, seen, acts, image };
}

function boxOf(pixels: Uint8Array): number[] | null {
  if (!pixels.includes(1)) return null;
  const box = [SIDE, SIDE, 0, 0];
  for (const [i, one] of pixels.entries()) {
    if (one === 0) continue;
    const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
    box.splice(0, 4, Math.min(box[0]!, x), Math.min(box[1]!, y), Math.max(box[2]!, x + 1), Math.max(box[3]!, y + 1));
  }
  return box;
}

const most = (a: readonly number[], b: readonly number[]) => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));

test("boxes and masks of a mosaic lie around their objects, whatever comes before and after", () => {
  const augment: AugmentStep[] = [
    { name: "horizontal_flip", p: 0.5 },
    { name: "mosaic", center_range: [0.3, 0.7], p: 1 },
    { name: "horizontal_flip", p: 0.5 },
    { name: "vertical_flip", p: 0.5 },
  ];
  let objects = 0;
  for (let seed = 0; seed < 60; seed++) {
    const { told, seen } = done(augment, seed);
    for (const { label, box, mask } of told) {
      if (Math.min(box[2]! - box[0]!, box[3]! - box[1]!) < 2) continue; // a sliver at the edge of its cell
      objects++;
      expect(most(box, seen[label]!), `seed ${seed}, picture ${label}`).toBeLessThanOrEqual(1.01);
      expect(most(mask!, seen[label]!), `seed ${seed}, picture ${label}`).toBeLessThanOrEqual(2);
    }
    for (const [label, one] of seen.entries())
      if (one && Math.min(one[2]! - one[0]!, one[3]! - one[1]!) > 2)
        expect(
          told.map((each) => each.label),
          `seed ${seed}`,
        ).toContain(label);
  }
  expect(objects).toBeGreaterThan(120);
});

test("mixup has the objects of both pictures, in mixed colours", () => {
  const { told, image } = done([{ name: "mixup", share_range: [0.5, 0.5], p: 1 }], 3);
  expect(told.map(({ label }) => label)).toEqual([0, 1]);
  const at = (box: readonly number[]) =>
    3 * (Math.round((box[1]! + box[3]!) / 2) * SIDE + Math.round((box[0]! + box[2]!) / 2));
  const apart = Array.from({ length: 30 }, (_, seed) => done([{ name: "mixup", share_range: [0.5, 0.5], p: 1 }], seed));
  expect(image.data[0]).toBe(20);
  for (const one of apart) {
    const [red, green] = one.told.map(({ box }) => one.image.data.subarray(at(box), at(box) + 3));
    for (const value of [red![0], green![1]]) expect(Math.abs(value! - 105)).toBeLessThanOrEqual(5); // with 20, or the other's 0
  }
});

test("copy-paste puts objects with masks where they are in their picture, but not over much of another one", () => {
  let [pasted, kept] = [0, 0];
  for (let seed = 0; seed < 60; seed++) {
    const { told, seen } = done(
      [
        { name: "copy_paste", share: 1, p: 1 },
        { name: "transpose", p: 0.5 },
      ],
      seed,
    );
    expect(told[0]!.label).toBe(0);
    if (told.length === 1) kept++;
    else {
      pasted++;
      expect(most(told[1]!.box, seen[1]!)).toBeLessThanOrEqual(1.01);
    }
    expect(seen[1] === null).toBe(told.length === 1);
  }
  expect(Math.min(pasted, kept)).toBeGreaterThan(5);
});

test("partners are known before any picture is read", () => {
  const augment: AugmentStep[] = [
    { name: "horizontal_flip", p: 0.5 },
    { name: "random_sized_bbox_safe_crop", erosion_rate: 0, p: 0.5 },
    { name: "mosaic", center_range: [0.3, 0.7], p: 0.4 },
    { name: "copy_paste", share: 1, p: 0.5 },
  ];
  const nobody = pictures(0)[0]!.source;
  for (let seed = 0; seed < 40; seed++) {
    const { acts } = drawLayers(rngFromSeed(seed), [...pictures(seed).map(({ source }) => source), nobody], { augment, side: SIDE }); // biome-ignore format: one line
    const taken = acts.flatMap((act) => (act.kind === "paste" ? [act.source] : act.kind === "mosaic" ? act.cells.map(({ source }) => source) : [])); // biome-ignore format: one line
    const known = [...partnersTaken(rngFromSeed(seed), augment)];
    expect(known.filter((one) => one > 0).sort()).toEqual(taken.filter((one) => one > 0).sort());
  }
});
