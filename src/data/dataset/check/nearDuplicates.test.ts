import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, it } from "vitest";
import { root } from "../../../../tests/support/datasetFolder.ts";
import { rngFromSeed } from "../../../util/random/rng.ts";
import type { Sample, Split, SplitName } from "../sample.ts";
import { nearProblems } from "./nearDuplicates.ts";

/** A split of noisy pictures, of which `seeds` decide what they show, as JPEG of this quality. */
async function split(name: SplitName, seeds: readonly number[], quality: number): Promise<Split> {
  const images = join(root, name);
  await mkdir(images, { recursive: true });
  const samples: Sample[] = [];
  for (const [i, seed] of seeds.entries()) {
    const rng = rngFromSeed(seed);
    const noise = Buffer.from(Uint8Array.from({ length: 3 * 9 * 8 }, () => rng.int(256)));
    const path = join(images, `${seed}.jpg`);
    const picture = sharp(noise, { raw: { width: 9, height: 8, channels: 3 } }).resize(90, 80, { kernel: "cubic" });
    await picture.jpeg({ quality }).toFile(path);
    samples.push({ imageId: i, file: `${seed}.jpg`, path, width: 90, height: 80, annotations: [] });
  }
  return { name, images, annotations: images, samples, reading: { within: root } };
}

it("pictures of val that are nearly ones of train are named once, those that are known and those of one split not", async () => {
  const splits = { train: await split("train", [1, 2, 3], 95), val: await split("val", [2, 3, 4], 80) };
  const { problems, notes } = await nearProblems({ splits }, { but: new Set(["val 3.jpg"]) });
  expect(problems).toEqual([
    { kind: "near-duplicate", severity: "warning", split: "val", file: "2.jpg", message: expect.stringMatching(/^2\.jpg \(val\) is nearly the same image as 2\.jpg \(train\): /) }, // biome-ignore format: one line
  ]);
  expect(notes).toEqual([]);
  const few = await nearProblems({ splits }, { but: new Set(), most: 2 });
  expect(few.notes[0]).toBe("near-duplicates were looked for among 2 of the 3 images of train, spread evenly");
  expect((await nearProblems({ splits: { train: splits.train } }, { but: new Set() })).problems).toEqual([]);
});
