import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import sharp from "sharp";
import { expect, test } from "vitest";
import type { Annotation, Split } from "../../data/dataset/sample.ts";
import type { Mask } from "../../instance/instance.ts";
import { encodeRuns, packRuns } from "../../instance/masks/runs.ts";
import { createLoader } from "../batch/loader.ts";
import { drawMasks } from "./drawMasks.ts";
import type { Change } from "./step.ts";

/** Made by scripts/fixtures/make-mask-fixtures.py with the reference's own resizing, cutting and mirroring. */
const FIXTURE = new URL("../../../tests/fixtures/masks/masks.json.gz", import.meta.url);
const {
  moved,
}: { moved: { size: [number, number]; counts: string; changes: Change[]; side: number; moved: string }[] } = JSON.parse(
  gunzipSync(readFileSync(FIXTURE)).toString(),
);

function annotation(id: number, box: Annotation["box"], mask?: Mask, crowd = false): Annotation {
  return { id, categoryId: 1, label: id, area: 1, crowd, box, ...(mask && { mask }) };
}

test("masks are resized, cut and mirrored as the reference does it, to the bit", () => {
  expect(moved).toHaveLength(60);
  for (const { size, counts, changes, side, moved: expected } of moved) {
    const [height, width] = size;
    const one = annotation(1, [0, 0, width, height], { size, counts });
    const drawn = drawMasks([one], { size: { width, height }, changes, side, file: "a.jpg" });
    expect(drawn.size).toEqual([side, side]);
    expect([...drawn.present]).toEqual([1]);
    expect(packRuns(encodeRuns(drawn.pixels, [side, side])), JSON.stringify(changes)).toBe(expected);
  }
});

test("a box without a mask is its own mask in YOLO's files, and has none in COCO's", () => {
  const about = { size: { width: 20, height: 10 }, changes: [], side: 10, file: "a.jpg" };
  const box = annotation(1, [4, 2, 8, 6]);
  const coco = drawMasks([box], about);
  expect([coco.present[0], coco.pixels.some((one) => one === 1)]).toEqual([0, false]);
  const yolo = drawMasks([box], { ...about, rule: "pillow" });
  expect([yolo.present[0], yolo.pixels.reduce((sum, one) => sum + one, 0)]).toEqual([1, 3 * 5]);
});

test("an image of more objects than memory has room for is refused", () => {
  const many = Array.from({ length: 2000 }, (_, i) => annotation(i, [4, 2, 8, 6]));
  const about = { size: { width: 20, height: 10 }, changes: [], side: 888, file: "a.jpg" };
  expect(() => drawMasks(many, about)).toThrow(
    "a.jpg has 2000 objects, whose masks of 888 x 888 pixels take more than",
  );
});

const POLYGON = annotation(1, [10, 10, 40, 30], { polygons: [[10, 10, 40, 10, 40, 30]] });
const CROWD = annotation(2, [0, 0, 50, 50], { size: [50, 100], counts: [0, 5000] }, true);
const BARE = annotation(3, [30, 15, 50, 25]);
const FLAT = annotation(4, [30, 15, 30, 25], { polygons: [[30, 15, 30, 15, 30, 25]] });

async function targets(annotations: Annotation[], options: { workers: number; mostBroken?: number }) {
  const dir = await mkdtemp(join(tmpdir(), "masks-"));
  try {
    const path = join(dir, "a.png");
    await sharp({ create: { width: 100, height: 50, channels: 3, background: "green" } }).toFile(path);
    const sample = (imageId: number, own: Annotation[]) => {
      return { imageId, file: "a.png", path, width: 100, height: 50, annotations: own };
    };
    const samples = [sample(1, annotations), sample(2, [POLYGON])];
    const split: Split = { name: "train", images: dir, annotations: dir, samples, reading: {} };
    const augment = { scale_jitter: true, horizontal_flip: 0.5 };
    const common = {
      split,
      batchSize: 2,
      resolution: 28,
      seed: 4,
      augment,
      training: true,
      shuffle: false,
      masks: true,
    };
    const loader = createLoader({ ...common, ...options });
    try {
      const epochs = [];
      for (const epoch of [0, 1]) for await (const batch of loader.epoch(epoch)) epochs.push(batch);
      return epochs;
    } finally {
      await loader.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

test("a segmenter's targets have masks in the rows of their boxes, the same with any number of threads", async () => {
  const [alone, threaded] = [await targets([CROWD, POLYGON, FLAT, BARE], { workers: 0 }), await targets([CROWD, POLYGON, FLAT, BARE], { workers: 2 })]; // biome-ignore format: one line
  for (const [i, { targets }] of alone.entries()) {
    expect(threaded[i]!.targets).toEqual(targets);
    for (const { labels, masks } of targets) {
      expect(masks!.size).toEqual([28, 28]);
      expect(masks!.pixels).toHaveLength(labels.length * 28 * 28);
      expect([...masks!.present]).toEqual(Array.from(labels, (label) => (label === 1 ? 1 : 0)));
    }
  }
  expect(alone.flatMap(({ targets }) => targets).some(({ masks }) => masks!.pixels.includes(1))).toBe(true);
});

test("a mask that cannot be used is reported with its file and annotation, and its image may be left out", async () => {
  const damaged = annotation(7, [0, 0, 100, 50], { size: [50, 99], counts: [4950] });
  await expect(targets([damaged], { workers: 0 })).rejects.toThrow(
    /a\.png, annotation 7: the mask is of an image of 99 x 50, but its image is 100 x 50\./,
  );
  const [first] = await targets([damaged], { workers: 1, mostBroken: 1 });
  expect(first!.broken.map(({ message }) => message)).toEqual([expect.stringContaining("annotation 7")]);
  expect(first!.targets.map(({ labels }) => [...labels])).toEqual([[1], [1]]);
});
