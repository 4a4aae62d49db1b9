import { join } from "node:path";
import sharp from "sharp";
import { expect, it } from "vitest";
import { coco, image, roboflow, root } from "../../../../tests/support/datasetFolder.ts";
import { decodeFile } from "../../image/decode.ts";
import { loadDataset } from "../dataset.ts";
import { headerProblems } from "./headers.ts";

/** A data set whose training image carries an orientation; its file is 20 x 10 as it is stored. */
async function oriented(orientation: number, { swapped = false } = {}): Promise<void> {
  const train = coco("turned.jpg", 1, [1, 2, 3, 4]);
  if (swapped) Object.assign(train.images[0]!, { width: 10, height: 20 });
  await roboflow(train);
  const picture = sharp({ create: { width: 20, height: 10, channels: 3, background: "red" } });
  await picture.withMetadata({ orientation }).toFile(join(root, "train", "turned.jpg"));
}

it("an EXIF orientation is said, and what is done with it", async () => {
  await oriented(6);
  const [problem] = await headerProblems(await loadDataset({ dir: root }));
  expect(problem).toMatchObject({ kind: "exif", severity: "warning", split: "train" });
  expect(problem!.message).toMatch(
    /^1 image of train \(turned\.jpg\) carry an EXIF orientation and are read as they are stored/,
  );
  const applied = await loadDataset({ dir: root, exif: "apply" });
  expect((await headerProblems(applied))[0]!.message).toContain("are turned as it says");
  const { path } = applied.splits.train!.samples[0]!;
  expect(await decodeFile(path, applied.splits.train!.reading)).toMatchObject({ width: 10, height: 20 });
  expect(await decodeFile(path)).toMatchObject({ width: 20, height: 10 });
});

it("sizes that are those of the turned picture are an error, with the key that puts it right", async () => {
  await oriented(6, { swapped: true });
  const [problem] = await headerProblems(await loadDataset({ dir: root }));
  expect(problem).toMatchObject({
    kind: "exif",
    severity: "error",
    message: expect.stringContaining("data.exif: apply"),
  });
  const applied = await headerProblems(await loadDataset({ dir: root, exif: "apply" }));
  expect(applied.map(({ severity }) => severity)).toEqual(["warning"]);
});

it("no orientation, no word; 16 bits and animations are said", async () => {
  await oriented(1);
  const dataset = await loadDataset({ dir: root });
  expect(await headerProblems(dataset)).toEqual([]);
  const deep = new Uint16Array(200).fill(30_000);
  const raw = { width: 20, height: 10, channels: 1 as const };
  await sharp(deep, { raw }).toColourspace("grey16").png({ bitdepth: 16 } as never).toFile(dataset.splits.train!.samples[0]!.path); // biome-ignore format: one line
  expect((await headerProblems(dataset)).map(({ kind }) => kind)).toEqual(["deep-image"]);
  const frames = await Promise.all(
    ["red", "blue"].map((background) => sharp({ create: { width: 20, height: 10, channels: 3, background } }).png().toBuffer()), // biome-ignore format: one line
  );
  await sharp(frames, { join: { animated: true } })
    .gif()
    .toFile(dataset.splits.val!.samples[0]!.path);
  expect((await headerProblems(dataset)).map(({ kind, split }) => [split, kind])).toEqual([
    ["train", "deep-image"],
    ["val", "animated-image"],
  ]);
});

/** A set whose annotations are of pictures so many times as large as the files are, 20 x 10. */
async function resized(factor: number | [number, number], boxes: [number, number, number, number][]) {
  const train = coco("a.png", 1, ...boxes);
  const [across, down] = typeof factor === "number" ? [factor, factor] : factor;
  Object.assign(train.images[0]!, { width: 20 * across, height: 10 * down });
  await roboflow(train);
  await image("train/a.png");
  const dataset = await loadDataset({ dir: root });
  return headerProblems(dataset);
}

it("pictures that were resized without their labels are an error; a size that is wrong while the boxes fit is said", async () => {
  const [error, ...none] = await resized(2, [[1, 1, 4, 4], [30, 10, 8, 9]]); // biome-ignore format: one line
  expect(none).toEqual([]);
  expect(error).toMatchObject({ kind: "size-differs", severity: "error", split: "train", file: "a.png" });
  expect(error!.message).toMatch(/^1 image of train \(a\.png\) .*\(20 x 10, not 40 x 20\), and boxes lie outside/);
  for (const factor of [2, 0.5]) {
    const [warning, ...others] = await resized(factor, [[1, 1, 4, 3]]);
    expect(others).toEqual([]);
    expect(warning).toMatchObject({ kind: "size-differs", severity: "warning" });
  }
  // sides that have not changed alike: an error only where nothing is left to train on
  expect((await resized([2, 3], [[1, 1, 30, 4]]))[0]).toMatchObject({ severity: "warning" });
  expect((await resized([2, 3], [[1, 15, 30, 4]]))[0]).toMatchObject({ severity: "error" });
});
