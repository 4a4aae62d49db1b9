import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { datasetFingerprint } from "../../data/dataset/fingerprint.ts";
import type { Annotation, Sample, Split } from "../../data/dataset/sample.ts";
import { sliceForEvaluation, sliceForTraining } from "../../data/slices/sliceSplit.ts";
import { maskRuns } from "../../instance/masks/maskRuns.ts";
import { encodeRuns, packMask, runsArea } from "../../instance/masks/runs.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import type { Batch } from "../batch/batch.ts";
import { createLoader } from "../batch/loader.ts";

const SLICES = { size: 64, overlap: 0.25, background: 0.5 };
const WIDTH = 200;
const HEIGHT = 120;

let folder: string;
let split: Split;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slices-"));
  const samples: Sample[] = [];
  for (const [i, [width, height]] of [
    [WIDTH, HEIGHT],
    [50, 60],
    [130, 40],
  ].entries()) {
    // biome-ignore format: one line
    const rng = rngFromSeed(i);
    const path = join(folder, `${i}.png`);
    const data = Uint8Array.from({ length: 3 * width! * height! }, () => rng.int(256));
    await sharp(data, { raw: { width: width!, height: height!, channels: 3 } })
      .png()
      .toFile(path);
    const annotations = i === 0 ? [object(1, [10, 10, 30, 30]), object(2, [40, 20, 100, 60])] : [];
    const size = i === 2 ? { width: null, height: null } : { width: width!, height: height! };
    samples.push({ imageId: 10 + i, file: `${i}.png`, path, ...size, annotations });
  }
  split = { name: "train", images: folder, annotations: folder, samples, reading: {} };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function object(id: number, box: Annotation["box"], more: Partial<Annotation> = {}): Annotation {
  const area = (box[2] - box[0]) * (box[3] - box[1]);
  return { id, categoryId: 1, label: 0, area, crowd: false, box, ...more };
}

test("pictures larger than a part become parts with what is in them, others stay whole", async () => {
  const { split: all, ...about } = await sliceForTraining(split, { ...SLICES, background: 1 }, { seed: 1 });
  // 200 x 120 in steps of 48: four columns, three rows; 130 x 40, whose size its file says: three columns
  expect(about).toEqual({ pictures: 2, parts: 15, empty: 11, kept: 11 });
  expect(all.samples.map(({ imageId }) => imageId)).toEqual([...Array(12).fill(10), 11, ...Array(3).fill(12)]);
  expect(all.samples[12]).toEqual(split.samples[1]);
  expect(all.samples[13]!.area).toEqual({ left: 0, top: 0, width: 64, height: 40, picture: [40, 130] });
  const [first, second] = all.samples;
  expect(first!.annotations).toMatchObject([
    { id: 1, box: [10, 10, 30, 30], area: 400 },
    { id: 2, box: [40, 20, 64, 60], area: 960 },
  ]);
  expect(second!.area).toMatchObject({ left: 48, top: 0 });
  expect(second!.annotations).toMatchObject([{ id: 2, box: [0, 20, 52, 60], area: 52 * 40 }]);
  // rows from 48 on have 12 of its 40 pixels, columns from 96 on have 4 of its 60, which is too little
  expect(all.samples.map(({ annotations }) => annotations.map(({ id }) => id)).slice(0, 8)).toEqual([
    [1, 2], [2], [], [], [2], [2], [], [],
  ]); // biome-ignore format: rows of parts
});

test("of the parts without objects the share is kept that is asked for, drawn by the seed", async () => {
  const kept = async (seed: number, background: number) => {
    const { split: some, ...about } = await sliceForTraining(split, { ...SLICES, background }, { seed });
    return { ...about, areas: some.samples.map(({ area }) => area && [area.left, area.top, area.picture[1]].join()) };
  };
  const half = await kept(3, 0.5);
  expect(half).toMatchObject({ parts: 10, empty: 11, kept: 6 });
  expect(await kept(3, 0.5)).toEqual(half);
  const others = await Promise.all([4, 5, 6].map((seed) => kept(seed, 0.5)));
  expect(others.some(({ areas }) => areas.join(" ") !== half.areas.join(" "))).toBe(true);
  expect(await kept(3, 0)).toMatchObject({ parts: 4, kept: 0 });
});

test("masks are cut to the part, and the box lies around what is left of the mask", async () => {
  const pixels = new Uint8Array(HEIGHT * WIDTH);
  for (let y = 20; y < 60; y++) pixels.fill(1, y * WIDTH + 40, y * WIDTH + (y < 30 ? 100 : 60)); // an L
  const runs = packMask(encodeRuns(pixels, [HEIGHT, WIDTH]));
  const polygon = { polygons: [[40, 20, 100, 20, 100, 30, 60, 30, 60, 60, 40, 60]] };
  for (const mask of [runs, polygon]) {
    const [sample] = split.samples;
    const one = { ...split, samples: [{ ...sample!, annotations: [object(2, [40, 20, 100, 60], { mask })] }] };
    const { samples } = (await sliceForTraining(one, { ...SLICES, background: 1 }, { seed: 1 })).split;
    const [right] = samples[1]!.annotations; // columns from 48 on
    expect(right!.box).toEqual([0, 20, 52, 60]);
    const cut = maskRuns(right!.mask!, { size: [64, 64], where: "here" });
    expect(runsArea(cut)).toBe(52 * 10 + 12 * 30);
    expect(samples[2]!.annotations).toEqual([]); // 40 of 1200 pixels
    expect(samples[0]!.annotations[0]!.box).toEqual([40, 20, 64, 60]);
    const [lower] = samples[4]!.annotations; // rows from 48 on hold the foot of the L only
    expect(lower!.box).toEqual([40, 0, 60, 12]);
  }
});

async function batches(of: Split, options: { workers: number; epoch?: number; fromBatch?: number }) {
  const augment = { horizontal_flip: 0.5, scale_jitter: false };
  const common = { split: of, batchSize: 2, resolution: 32, seed: 3, augment, training: true };
  const loader = createLoader({ ...common, workers: options.workers, resample: "balanced" });
  try {
    const all: Omit<Batch, "wait">[] = [];
    for await (const { wait: _, ...batch } of loader.epoch(options.epoch ?? 0, options)) all.push(batch);
    return all;
  } finally {
    await loader.close();
  }
}

test("batches of parts are the same whatever the number of threads, and go on in the middle of an epoch", async () => {
  const { split: parts } = await sliceForTraining(split, SLICES, { seed: 1 });
  const expected = await batches(parts, { workers: 0 });
  expect(expected.some(({ areas }) => areas)).toBe(true);
  expect(await batches(parts, { workers: 3 })).toEqual(expected);
  expect(await batches(parts, { workers: 1, fromBatch: 2 })).toEqual(expected.slice(2));
});

test("a part's pixels are those of the picture at its place", async () => {
  const { split: parts } = await sliceForTraining(split, { ...SLICES, background: 1 }, { seed: 1 });
  const loader = createLoader({ split: parts, batchSize: 16, resolution: 64, seed: 1, augment: null, training: false, workers: 0 }); // biome-ignore format: one line
  const { value: batch } = await loader.epoch(0).next();
  const { data } = await sharp(split.samples[0]!.path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  for (const [i, area] of batch!.areas!.slice(0, 12).entries())
    for (const [x, y] of [
      [0, 0],
      [63, 5],
      [17, 63],
    ] as const) {
      // biome-ignore format: one line
      const red = data[3 * ((area!.top + y) * WIDTH + area!.left + x)]!;
      expect(batch!.images[3 * ((i * 64 + y) * 64 + x)]).toBeCloseTo((red / 255 - 0.485) / 0.229, 4);
    }
});

test("the fingerprint of a data set is another one in parts, and another one in other parts", async () => {
  const about = { layout: "explicit", description: "", classes: [], problems: [] } as const;
  const of = async (train: Split) => datasetFingerprint({ ...about, classes: [], problems: [], splits: { train } });
  const parts = async (size: number) => (await sliceForTraining(split, { ...SLICES, size }, { seed: 1 })).split;
  const all = [await of(split), await of(await parts(64)), await of(await parts(60)), await of(await parts(64))];
  expect(new Set(all).size).toBe(3);
  expect(all[3]).toBe(all[1]);
});

test("an evaluation looks at each picture and then at its parts, and at a small picture only", async () => {
  const { samples } = await sliceForEvaluation(split, SLICES);
  expect(samples.map(({ imageId }) => imageId)).toEqual([...Array(13).fill(10), 11, ...Array(4).fill(12)]);
  expect(samples[0]).toMatchObject({
    area: { left: 0, top: 0, width: WIDTH, height: HEIGHT, picture: [HEIGHT, WIDTH] },
  });
  expect(samples[13]).toEqual(split.samples[1]);
  expect(samples[1]!.annotations).toEqual([]);
  expect((await sliceForEvaluation(split, SLICES, { objects: true })).samples[1]!.annotations).toHaveLength(2);
});

test("a picture that is not of the size that its annotations say is named", async () => {
  const wrong = { ...split, samples: [{ ...split.samples[0]!, width: 300 }] };
  const { split: parts } = await sliceForTraining(wrong, SLICES, { seed: 1 });
  await expect(batches(parts, { workers: 0 })).rejects.toThrow(
    /0\.png is 200 x 120 pixels, not 300 x 120 as annotated/,
  );
});
