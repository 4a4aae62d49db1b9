import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Batch } from "../../loading/batch/batch.ts";
import type { TrainEvent } from "../../run/events.ts";
import { readSeenBatch } from "../../run/records/batches.ts";
import { BEGINNING } from "../progress.ts";
import { keepBatches } from "./batches.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "first-batch-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function batch(images: number): Batch {
  return {
    images: new Float32Array(images * 3 * 40 * 40),
    shape: [images, 40, 40, 3],
    targets: Array.from({ length: images }, (_, i) => ({
      boxes: Float32Array.of(0.5, 0.5, 0.4, 0.4).subarray(0, i === 0 ? 0 : 4),
      labels: Int32Array.of(0).subarray(0, i === 0 ? 0 : 1),
    })),
    imageIds: Array.from({ length: images }, (_, i) => i),
    files: Array.from({ length: images }, (_, i) => `<${i}>.png`),
    originalSizes: Array.from({ length: images }, () => [9, 9]),
    broken: [],
    wait: 0,
  };
}

const run = (where = dir) => {
  const log = { info() {}, warn() {}, error() {}, close() {} };
  const classes = [{ name: "tree", categoryId: 1, label: 0 }];
  return { dir: where, classes, progress: { ...BEGINNING, step: 3 }, log } as unknown as Parameters<typeof keepBatches>[0]; // biome-ignore format: one line
};

async function events(...of: Parameters<typeof keepBatches>): Promise<TrainEvent[]> {
  const all: TrainEvent[] = [];
  for await (const event of keepBatches(...of)) all.push(event);
  return all;
}

test("the first batch of a run is kept as small pictures, once, also when the run goes on later", async () => {
  const one = run();
  expect(await events(one, batch(10))).toEqual([]);
  const record = (await readSeenBatch(join(dir, "first-batch.json")))!;
  expect([record.step, record.of, record.images.length]).toEqual([3, 10, 8]);
  expect(record.images.map(({ image, objects }) => [image, objects]).slice(0, 2)).toEqual([
    ["<0>.png", 0],
    ["<1>.png", 1],
  ]);
  const jpeg = await sharp(Buffer.from(record.images[1]!.jpeg, "base64")).metadata();
  expect([jpeg.format, jpeg.width, jpeg.height]).toEqual(["jpeg", record.images[1]!.width, record.images[1]!.height]);
  const before = await readFile(join(dir, "first-batch.json"), "utf8");
  await events(one, batch(2));
  await events(run(), batch(2));
  expect(await readFile(join(dir, "first-batch.json"), "utf8")).toBe(before);
});

test("a batch of the last minute is kept beside it, smaller, and replaced by the next one", async () => {
  const one = run();
  const last = () => readSeenBatch(join(dir, "last-batch.json"));
  let now = 1000;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  await events(one, batch(10));
  for (now of [2000, 59_000]) await events(one, batch(10));
  expect(await last()).toBeNull();
  now = 62_000;
  await events(one, batch(10));
  expect(await last()).toMatchObject({ step: 3, of: 10 });
  expect((await last())!.images).toHaveLength(4);
  Object.assign(one.progress, { step: 9 });
  for (now of [100_000, 123_000]) await events(one, batch(2));
  expect(await last()).toMatchObject({ step: 9, of: 2 });
  expect((await readSeenBatch(join(dir, "first-batch.json")))?.of).toBe(10);
  clock.mockRestore();
});

test("where it cannot be written the run goes on with a warning", async () => {
  await writeFile(join(dir, "file"), "");
  const [event] = await events(run(join(dir, "file")), batch(1));
  expect(event).toMatchObject({ type: "warning", message: expect.stringContaining("of a batch could not be kept") });
});

test("a record that others wrote shows nothing but pictures", async () => {
  const path = join(dir, "first-batch.json");
  const image = { image: "a.png", objects: 1, width: 3, height: 3, jpeg: "/9j/AAAA" };
  const write = (record: object) => writeFile(path, JSON.stringify({ format: 1, epoch: 0, step: 0, of: 1, ...record }));
  await write({ images: [image, { ...image, jpeg: '"><script>' }, { ...image, width: "9" }, null] });
  expect((await readSeenBatch(join(dir, "first-batch.json")))?.images).toEqual([image]);
  for (const record of [{ images: "none" }, { images: [] }, { images: [image], of: "many" }, { images: [image], format: 2 }]) {
    await write(record);
    expect(await readSeenBatch(join(dir, "first-batch.json"))).toBeNull();
  } // biome-ignore format: one line
});
