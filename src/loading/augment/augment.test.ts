import { describe, expect, it } from "vitest";
import { toTarget } from "../../data/dataset/sample.ts";
import type { Rgb } from "../../data/image/decode.ts";
import { resizeNormalised } from "../../data/image/resize.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import { changeBoxes, changeImage } from "./apply.ts";
import type { Augment } from "./augment.ts";
import { drawChanges } from "./many/layers.ts";
import type { AugmentStep } from "./settings.ts";
import type { Change } from "./step.ts";

const BOTH = { horizontal_flip: 0.5, scale_jitter: true };

const NONE = { boxes: new Float64Array(), labels: new Int32Array() };

/** Black, with one white rectangle. */
function picture(width: number, height: number, [x1, y1, x2, y2]: readonly number[]): Rgb {
  const data = new Uint8Array(3 * width * height);
  for (let y = y1!; y < y2!; y++) data.fill(255, 3 * (width * y + x1!), 3 * (width * y + x2!));
  return { data, width, height };
}

/** The box of what is more than half white in normalised pixels, in fractions of the image. */
function whiteBox(pixels: Float32Array, side: number): number[] {
  const box = [side, side, 0, 0];
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      if (pixels[3 * (side * y + x)]! < (0.5 - 0.485) / 0.229) continue;
      [box[0], box[1]] = [Math.min(box[0]!, x), Math.min(box[1]!, y)];
      [box[2], box[3]] = [Math.max(box[2]!, x + 1), Math.max(box[3]!, y + 1)];
    }
  return box.map((v) => v / side);
}

describe("geometry", () => {
  it("moves the boxes with what they are drawn around, whatever is drawn", () => {
    const place = [250, 130, 420, 300] as const;
    const image = picture(640, 420, place);
    const boxes = { boxes: Float64Array.from(place), labels: Int32Array.from([3]) };
    let jitters = 0;
    let flips = 0;
    for (let i = 0; i < 24; i++) {
      const changes = drawChanges(rngFromSeed(1, i), image, { augment: BOTH, side: 160, boxes });
      if (changes.some(({ cut }) => cut)) jitters++;
      if (changes.some(({ mirror }) => mirror)) flips++;
      const side = 160;
      const { image: changed, mirrored } = changeImage(image, changes);
      const pixels = new Float32Array(3 * side * side);
      resizeNormalised(changed, side, { out: pixels, mirror: mirrored });
      const moved = changeBoxes(boxes, image, changes);
      const [cx, cy, w, h] = toTarget(moved.boxes, moved.frame.width, moved.frame.height).boxes;
      const seen = whiteBox(pixels, side);
      const told = [cx! - w! / 2, cy! - h! / 2, cx! + w! / 2, cy! + h! / 2];
      for (let k = 0; k < 4; k++) expect(Math.abs(seen[k]! - told[k]!)).toBeLessThan(1.01 / side);
    }
    expect(jitters).toBeGreaterThan(4);
    expect(jitters).toBeLessThan(20);
    expect(flips).toBeGreaterThan(4);
    expect(flips).toBeLessThan(20);
  });

  it("clamps boxes to the cut and drops those that are not in it", () => {
    const changes: Change[] = [
      { resize: { width: 800, height: 400 }, cut: { top: 0, left: 100, width: 384, height: 384 } },
      { mirror: true },
    ];
    const boxes = Float64Array.from([0, 0, 60, 10, 300, 0, 400, 50, 0, 0, 50, 50, 40, 195, 60, 200]);
    const { boxes: moved, frame } = changeBoxes(
      { boxes, labels: Int32Array.from([0, 1, 2, 3]) },
      { width: 400, height: 200 },
      changes,
    );
    expect(frame).toEqual({ width: 384, height: 384 });
    expect([...moved.labels]).toEqual([0]); // the second is right of the cut, the third left of it, the fourth below
    expect([...moved.boxes]).toEqual([364, 0, 384, 20]);
  });

  it("cuts squares of 384 to 600 pixels, or the whole short side where that is less", () => {
    const sides = new Set<number>();
    for (let i = 0; i < 400; i++) {
      const [first] = drawChanges(
        rngFromSeed(5, i),
        { width: 333, height: 777 },
        { augment: BOTH, side: 160, boxes: NONE },
      );
      if (!first?.cut) continue;
      const { resize: resized, cut } = first as Required<Change>;
      const { width: side, top, left } = cut;
      expect(cut.height).toBe(side);
      expect([400, 500, 600]).toContain(resized.width);
      expect(resized.height).toBe(Math.round((resized.width * 777) / 333));
      expect(side).toBeGreaterThanOrEqual(384);
      expect(side).toBeLessThanOrEqual(resized.width);
      expect(top + side).toBeLessThanOrEqual(resized.height);
      expect(left + side).toBeLessThanOrEqual(resized.width);
      sides.add(side);
    }
    expect(Math.min(...sides)).toBeLessThan(390);
    expect(Math.max(...sides)).toBeGreaterThan(590);
  });

  it("does nothing where nothing is asked for", () => {
    for (let i = 0; i < 20; i++)
      for (const augment of [{ horizontal_flip: 0, scale_jitter: false }, []])
        expect(drawChanges(rngFromSeed(i), { width: 9, height: 7 }, { augment, side: 8, boxes: NONE })).toEqual([]);
  });

  it("gives the keys of the default the numbers of its preset", () => {
    for (let i = 0; i < 50; i++) {
      const draw = (augment: Augment) =>
        drawChanges(rngFromSeed(8, i), { width: 640, height: 480 }, { augment, side: 160, boxes: NONE });
      expect(draw("default")).toEqual(draw(BOTH));
    }
  });

  it("brings a picture to the model's square before the first step that is not for the pixels of its file", () => {
    const size = { width: 640, height: 480 };
    const draw = (...augment: AugmentStep[]) =>
      drawChanges(rngFromSeed(8), size, { augment, side: 160, boxes: NONE }).map(({ resize, cut, mirror }) =>
        mirror ? "mirror" : cut ? `cut of ${resize!.width} x ${resize!.height}` : resize ? "square" : "other",
      );
    const [flip, crop] = [{ name: "horizontal_flip", p: 1 }, { name: "random_crop", height: 99, width: 99, p: 1 }] as const; // biome-ignore format: one line
    const [down, never] = [
      { name: "vertical_flip", p: 1 },
      { name: "vertical_flip", p: 0 },
    ] as const;
    expect(draw(flip, crop, down, crop)).toEqual(["mirror", "cut of 640 x 480", "square", "other", "cut of 160 x 160"]);
    expect(draw(never, crop)).toEqual(["square", "cut of 160 x 160"]);
    expect(draw(never, flip)).toEqual(["mirror"]);
  });

  it("makes changes in any order: what is cut and coloured after mirroring is that of the mirrored image", () => {
    const place = [20, 10, 60, 30] as const;
    const image = picture(100, 50, place);
    const dark = (shown: typeof image) => ({ ...shown, data: shown.data.map((v) => v >> 1) });
    const changes: Change[] = [{ mirror: true }, { cut: { top: 5, left: 30, width: 40, height: 40 }, recolour: dark }];
    const { image: changed, mirrored } = changeImage(image, changes);
    const moved = changeBoxes({ boxes: Float64Array.from(place), labels: Int32Array.of(0) }, image, changes);
    expect([...moved.boxes.boxes]).toEqual([10, 5, 40, 25]); // 40..80 of the mirrored image, cut at 70
    expect(mirrored).toBe(true);
    expect(changed.data[3 * (40 * 5 + (39 - 10))]).toBe(127);
    expect(changed.data[3 * (40 * 5 + (39 - 9))]).toBe(0);
  });
});
