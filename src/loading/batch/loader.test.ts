import { createHash } from "node:crypto";
import { copyFile, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { collectBatches as collect, treeLoaders } from "../../../tests/support/treeLoaders.ts";
import { loadDataset } from "../../data/dataset/dataset.ts";
import { UserError } from "../../util/errors.ts";
import { PRESETS } from "../augment/presets.ts";
import type { Batch } from "./batch.ts";

const { split, loaderOf } = await treeLoaders();

describe("batches", () => {
  it("are the same whatever the number of threads", async () => {
    const [none, one, three] = [0, 1, 3].map((workers) => loaderOf({ workers }));
    const expected = await collect(none!.epoch(2));
    expect(expected).toHaveLength(none!.batches);
    expect(expected[0]!.shape).toEqual([2, 48, 48, 3]);
    expect(await collect(one!.epoch(2))).toEqual(expected);
    expect(await collect(three!.epoch(2))).toEqual(expected);
    expect(await collect(three!.epoch(3))).not.toEqual(expected);
  }, 30_000);

  it("of turned, cut and recoloured pictures are the same whatever the number of threads, and from any batch on", async () => {
    const augment = [
      { name: "random_resized_crop", scale: [0.3, 1], ratio: [0.75, 1.3333], p: 0.7 },
      ...PRESETS.aggressive,
      { name: "perspective", scale: [0.02, 0.08], fill: 0, p: 0.5 },
      { name: "gauss_noise", std_range: [0.01, 0.05], per_channel: true, p: 0.5 },
    ] as const;
    for (const masks of [false, true]) {
      const expected = await collect(loaderOf({ augment, masks }).epoch(1));
      const plain = await collect(loaderOf({ augment: null, masks }).epoch(1));
      expect(expected.map(({ files }) => files)).toEqual(plain.map(({ files }) => files));
      expect(expected).not.toEqual(plain);
      const loader = loaderOf({ augment, masks, workers: 2 });
      expect(await collect(loader.epoch(1))).toEqual(expected);
      expect(await collect(loader.epoch(1, { fromBatch: 2 }))).toEqual(expected.slice(2));
    }
  }, 30_000);

  it("of pictures that are put together are the same whatever the number of threads, and from any batch on", async () => {
    const flip = { name: "horizontal_flip", p: 0.5 } as const;
    const augment = [
      { name: "mosaic", center_range: [0.3, 0.7], p: 0.7 },
      flip,
      { name: "mixup", share_range: [0.4, 0.6], p: 0.5 },
      { name: "rotate", limit: 10, fill: 0, p: 0.5 },
    ] as const;
    const count = (batches: Omit<Batch, "wait">[]) =>
      batches.flatMap(({ targets }) => targets).reduce((sum, { labels }) => sum + labels.length, 0);
    for (const batchSize of [2, 4]) {
      const expected = await collect(loaderOf({ augment, batchSize }).epoch(1));
      const plain = await collect(loaderOf({ augment: [flip], batchSize }).epoch(1));
      expect(count(expected)).toBeGreaterThan(1.2 * count(plain));
      const loader = loaderOf({ augment, batchSize, workers: 2 });
      expect(await collect(loader.epoch(1))).toEqual(expected);
      expect(await collect(loader.epoch(1, { fromBatch: 1 }))).toEqual(expected.slice(1));
    }
  }, 30_000);

  it("of pictures with objects pasted into them are the same whatever the number of threads, and from any batch on", async () => {
    const dir = new URL("../../../datasets/nuclei", import.meta.url).pathname;
    const { val } = (await loadDataset({ dir })).splits;
    const nuclei = { ...val!, samples: val!.samples.slice(0, 6) };
    const bytes = (batches: Omit<Batch, "wait">[]) =>
      batches.map(({ images, ...rest }) => [createHash("sha256").update(images).digest("hex"), rest]);
    const augment = [
      { name: "horizontal_flip", p: 0.5 },
      { name: "mosaic", center_range: [0.3, 0.7], p: 0.3 },
      { name: "copy_paste", share: 0.5, p: 0.7 },
      { name: "rotate", limit: 10, fill: 0, p: 0.5 },
    ] as const;
    const without = augment.filter(({ name }) => name !== "copy_paste");
    const about = { split: nuclei, batchSize: 3 };
    const expected = bytes(await collect(loaderOf({ ...about, augment }).epoch(1)));
    const otherwise = bytes(await collect(loaderOf({ ...about, augment: without }).epoch(1)));
    expect(expected.map(([images]) => images)).not.toEqual(otherwise.map(([images]) => images));
    for (const workers of [1, 3]) {
      const loader = loaderOf({ ...about, augment, workers });
      expect(bytes(await collect(loader.epoch(1)))).toEqual(expected);
      expect(bytes(await collect(loader.epoch(1, { fromBatch: 1 })))).toEqual(expected.slice(1));
    }
  }, 30_000);

  it("do without partners that are broken, which are counted and named", async () => {
    const images = await mkdtemp(join(tmpdir(), "loader-"));
    const samples = split.samples.map((s) => ({ ...s, path: join(images, s.file) }));
    for (const [i, { file, path }] of split.samples.entries()) {
      const bytes = await readFile(path);
      await writeFile(join(images, file), i === 3 ? bytes.subarray(0, 5000) : bytes);
    }
    const augment = [{ name: "mixup", share_range: [0.5, 0.5], p: 1 }] as const;
    const own = { ...split, images, samples, reading: { within: images } };
    const of = (mostBroken: number) => loaderOf({ split: own, augment, batchSize: 8, shuffle: false, mostBroken });
    const batches = await collect(of(1).epoch(0));
    const broken = batches.flatMap((batch) => batch.broken);
    expect(broken.every(({ imageId, message }) => imageId === samples[3]!.imageId && message.includes("truncated"))).toBe(true); // biome-ignore format: one line
    // as itself as often as the order has it, and as the partner of others
    const times = batches.flatMap(({ files }) => files).length / split.samples.length;
    expect(broken.length).toBeGreaterThan(Math.ceil(times));
    expect(batches.flatMap(({ files }) => files)).not.toContain(samples[3]!.file);
    await expect(collect(of(0).epoch(0))).rejects.toThrow(/truncated/);
  }, 30_000);

  it("are refused where objects are to be pasted and none has a mask", () => {
    const bare = { ...split, samples: split.samples.map(({ annotations, ...s }) => ({ ...s, annotations: annotations.map(({ mask: _, ...one }) => one) })) }; // biome-ignore format: one line
    const augment = [{ name: "copy_paste", share: 0.5, p: 0.1 }] as const;
    expect(() => loaderOf({ split: bare, augment })).toThrow("copy_paste, but no object of val has a mask");
  });

  it("leave out what is strong from an epoch on", async () => {
    const [flip, turn] = [
      { name: "horizontal_flip", p: 0.5 },
      { name: "rotate", limit: [20, 30], fill: 0, p: 1 },
    ] as const;
    const loader = loaderOf({ augment: [flip, turn], mildFrom: 1 });
    const [strong, mild] = [loaderOf({ augment: [flip, turn] }), loaderOf({ augment: [flip] })];
    expect(await collect(loader.epoch(0))).toEqual(await collect(strong.epoch(0)));
    expect(await collect(loader.epoch(1))).toEqual(await collect(mild.epoch(1)));
  }, 30_000);

  it("go on in the middle of an epoch as if it had not been interrupted", async () => {
    const loader = loaderOf({ workers: 1 });
    const whole = await collect(loader.epoch(1));
    expect(await collect(loader.epoch(1, { fromBatch: 3 }))).toEqual(whole.slice(3));
  }, 30_000);

  it("of an evaluation hold every image once, in order, the last one less", async () => {
    const loader = loaderOf({ training: false, augment: null, batchSize: 4 });
    const batches = await collect(loader.epoch(0));
    expect(batches.map((b) => b.shape[0])).toEqual([4, 4, 1]);
    expect(batches.flatMap((b) => b.imageIds)).toEqual(split.samples.map((s) => s.imageId));
    expect(batches.flatMap((b) => b.files)).toEqual(split.samples.map((s) => s.file));
    expect(batches[0]!.originalSizes[0]).toEqual([400, 400]);
    const [x1, y1, x2, y2] = split.samples[0]!.annotations[0]!.box.map((v) => v / 400) as [
      number,
      number,
      number,
      number,
    ];
    const target = batches[0]!.targets[0]!;
    expect([...target.boxes.slice(0, 4)]).toEqual([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1].map(Math.fround));
    expect(target.labels).toHaveLength(split.samples[0]!.annotations.length);
  });

  it("may have a resolution of their own", async () => {
    const loader = loaderOf({ resolution: (epoch, batch) => 32 + 8 * ((epoch + batch) % 2) });
    const shapes = (await collect(loader.epoch(0))).map((b) => b.shape[1]);
    expect(shapes.slice(0, 4)).toEqual([32, 40, 32, 40]);
  });

  it("may hold images of several sides, padded to the largest with zeros that the mask marks", async () => {
    const sides = [32, 40, 48];
    const loader = loaderOf({ sides, batchSize: 3, workers: 1 });
    const batches = await collect(loader.epoch(0));
    const alone = (side: number) => collect(loaderOf({ resolution: side, batchSize: 3 }).epoch(0));
    const plain = new Map(await Promise.all(sides.map(async (side) => [side, await alone(side)] as const)));
    const used = new Set<number>();
    for (const [n, { images, mask, shape, targets }] of batches.entries()) {
      const [count, largest] = shape;
      for (let i = 0; i < count; i++) {
        const own = mask ? mask.subarray(i * largest ** 2, i * largest ** 2 + largest).indexOf(1) : -1;
        const side = own === -1 ? largest : own;
        used.add(side);
        const unpadded = plain.get(side)![n]!;
        expect(targets[i]).toEqual(unpadded.targets[i]);
        for (let y = 0; y < largest; y++)
          for (let x = 0; x < largest; x += 7) {
            const padding = x >= side || y >= side;
            const at = (i * largest + y) * largest + x;
            expect(mask?.[at] ?? 0).toBe(padding ? 1 : 0);
            expect(images[3 * at]).toBe(padding ? 0 : unpadded.images[3 * ((i * side + y) * side + x)]);
          }
      }
    }
    expect([...used].sort()).toEqual(sides);
    expect(await collect(loaderOf({ sides, batchSize: 3 }).epoch(0, { fromBatch: 2 }))).toEqual(batches.slice(2));
  }, 30_000);

  it.each([0, 2])(
    "take the memory of those that are done with, and are the same, with %d threads",
    async (workers) => {
      const options = { sides: [32, 48], batchSize: 3 };
      const expected = await collect(loaderOf(options).epoch(0));
      const loader = loaderOf({ ...options, workers });
      const memory = new Set<ArrayBufferLike>();
      let count = 0;
      for await (const { wait, ...batch } of loader.epoch(0)) {
        expect(batch).toEqual(expected[count++]);
        memory.add(batch.images.buffer);
        loader.recycle([{ ...batch, wait }]);
        loader.recycle([{ ...batch, wait }]); // once more changes nothing
      }
      expect(count).toBe(loader.batches);
      if (workers === 0) expect(memory.size).toBeLessThan(3);
    },
    30_000,
  );

  it("fail at the batch that holds a broken image, which is named", async () => {
    const images = await mkdtemp(join(tmpdir(), "loader-"));
    for (const { file, path } of split.samples) await copyFile(path, join(images, file));
    const samples = split.samples.map((s) => ({ ...s, path: join(images, s.file) }));
    const broken = samples[5]!;
    await writeFile(broken.path, (await readFile(broken.path)).subarray(0, 5000));
    for (const workers of [0, 2]) {
      const loader = loaderOf({
        split: { ...split, images, samples, reading: { within: images } },
        training: false,
        augment: null,
        workers,
      });
      const seen: string[] = [];
      const failed = await (async () => {
        for await (const batch of loader.epoch(0)) seen.push(...batch.files);
      })().catch((cause: unknown) => cause);
      expect(failed).toBeInstanceOf(UserError);
      expect((failed as UserError).message).toMatch(new RegExp(`${broken.file} is truncated`));
      expect(seen).toEqual(samples.slice(0, 4).map((s) => s.file));
    }
  }, 30_000);

  it("are prepared while the calling thread computes", async () => {
    const loader = loaderOf({ workers: 1, training: false, augment: null, batchSize: 8 });
    const batches = loader.epoch(0);
    await batches.next();
    const until = performance.now() + 1500; // no turn of the event loop, as in a training step
    while (performance.now() < until);
    const second = await batches.next();
    expect(second.value!.wait).toBeLessThan(0.5);
  }, 30_000);

  it("fail, and do not hang, when the loader is closed under them", async () => {
    const loader = loaderOf({ workers: 1, batchSize: 8 });
    const first = loader.epoch(0).next();
    const failed = expect(first).rejects.toThrow(/thread ended/);
    await loader.close();
    await failed;
  });

  it("can be left early, and asked for again", async () => {
    const loader = loaderOf({ workers: 2 });
    for await (const batch of loader.epoch(0)) {
      expect(batch.files).toHaveLength(2);
      break;
    }
    expect(await collect(loader.epoch(0))).toHaveLength(loader.batches);
  }, 30_000);
});
