import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { type Annotation, type Split, toTarget, trainingBoxes } from "../../data/dataset/sample.ts";
import { createLoader } from "../batch/loader.ts";
import { changeBoxes } from "./apply.ts";
import type { Change } from "./step.ts";

const SIZE = { width: 100, height: 50 };
const CHANGES: Change[] = [
  { resize: { width: 200, height: 100 }, cut: { left: 40, top: 20, width: 80, height: 40 } },
  { mirror: true },
];

function annotation(id: number, box: Annotation["box"], shape: Pick<Annotation, "mask" | "keypoints">): Annotation {
  return { id, categoryId: 1, label: id, area: 1, crowd: false, box, ...shape };
}

const OUTSIDE = annotation(0, [80, 40, 90, 45], { mask: { polygons: [[80, 40, 90, 40, 90, 45]] } });
const POLYGON = annotation(1, [10, 10, 40, 30], {
  mask: { polygons: [[10, 10, 40, 10, 40, 30]] },
  keypoints: [30, 20, 2, 10, 10, 1, 0, 0, 0],
});
const RUNS = annotation(2, [30, 15, 50, 25], { mask: { size: [50, 100], counts: "PPYg02" } });
const BARE = annotation(3, [30, 15, 50, 25], {});
const ALL = [OUTSIDE, POLYGON, RUNS, BARE];

test("masks and keypoints reach the target through scaling, cut and mirror, in the rows of their boxes", () => {
  const { boxes, frame } = changeBoxes(trainingBoxes(ALL, 100, 50, { shapes: true }), SIZE, CHANGES);
  expect([...boxes.labels]).toEqual([1, 2, 3]);
  // x: 80 - (2 x - 40), y: 2 y - 20
  expect(boxes.shapes![0]!.mask).toEqual({ polygons: [[100, 0, 40, 0, 40, 40]] });
  const target = toTarget(boxes, frame.width, frame.height);
  expect(target.shapes).toEqual([
    {
      mask: { polygons: [[1.25, 0, 0.5, 0, 0.5, 1]] },
      keypoints: [0.75, 0.5, 2, 0, 0, 0, 0, 0, 0], // the second lies outside of the cut, the third was none
    },
    { mask: { size: [50, 100], counts: "PPYg02", placed: [-2 / 80, 2 / 40, 120 / 80, -20 / 40] } },
    {},
  ]);
  expect([...target.boxes.slice(0, 4)]).toEqual([0.75, 0.5, 0.5, 1]); // the polygon's box, cut at the frame
});

test("where nobody asks for them, there are none, and boxes are the same", () => {
  const plain = changeBoxes(trainingBoxes(ALL, 100, 50), SIZE, CHANGES).boxes;
  const { shapes: _, ...rest } = changeBoxes(trainingBoxes(ALL, 100, 50, { shapes: true }), SIZE, CHANGES).boxes;
  expect(plain).toEqual(rest);
  expect(plain).not.toHaveProperty("shapes");
});

test.each([0, 1])("a loader's targets have them where they are wanted, with %i threads", async (workers) => {
  const dir = await mkdtemp(join(tmpdir(), "targets-"));
  try {
    const path = join(dir, "a.png");
    await sharp({ create: { ...SIZE, channels: 3, background: "green" } }).toFile(path);
    const samples = [{ imageId: 1, file: "a.png", path, ...SIZE, annotations: [POLYGON] }];
    const split: Split = { name: "train", images: dir, annotations: dir, samples, reading: {} };
    const targets = async (options: { shapes?: boolean }) => {
      const common = { split, batchSize: 1, resolution: 28, workers, seed: 1, augment: null, training: false };
      const loader = createLoader({ ...common, ...options });
      const batch = (await loader.epoch(0).next()).value!;
      await loader.close();
      return batch.targets[0]!;
    };
    expect((await targets({ shapes: true })).shapes).toEqual([
      { mask: { polygons: [[0.1, 0.2, 0.4, 0.2, 0.4, 0.6]] }, keypoints: [0.3, 0.4, 2, 0.1, 0.2, 1, 0, 0, 0] },
    ]);
    expect(await targets({})).not.toHaveProperty("shapes");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
