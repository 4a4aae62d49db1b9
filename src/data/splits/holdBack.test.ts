import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { beforeEach, describe, expect, it } from "vitest";
import { image, message, root, text } from "../../../tests/support/datasetFolder.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import { factLine } from "../../util/text/fact.ts";
import { datasetSummary, loadDataset } from "../dataset/dataset.ts";

/** A noisy picture, of which `seed` decides what it shows. */
async function picture(name: string, seed: number, quality = 90): Promise<void> {
  await image("train/make.png");
  const rng = rngFromSeed(seed);
  const noise = Buffer.from(Uint8Array.from({ length: 3 * 9 * 8 }, () => rng.int(256)));
  await sharp(noise, { raw: { width: 9, height: 8, channels: 3 } })
    .resize(90, 80, { kernel: "cubic" })
    .jpeg({ quality })
    .toFile(join(root, "train", name));
}

const FILES = Array.from({ length: 20 }, (_, i) => `${i}.jpg`);
const annotationsOf = (files: readonly string[]) => ({
  images: files.map((file_name, id) => ({ id, file_name, width: 90, height: 80 })),
  categories: [
    { id: 1, name: "cat" },
    { id: 2, name: "dog" },
  ],
  annotations: files.map((_, id) => ({
    id,
    image_id: id,
    category_id: 1 + (id % 2),
    bbox: [1, 1, 9, 9],
    area: 81,
    iscrowd: 0,
  })),
});

beforeEach(async () => {
  for (const [i, file] of FILES.entries()) await picture(file, 100 + i);
  await text("train/_annotations.coco.json", annotationsOf(FILES));
});

describe("data.val_fraction", () => {
  it("holds a part of each class back, the same one each time, and says so", async () => {
    const load = (split_seed = 0) => loadDataset({ dir: root, val_fraction: 0.2, split_seed });
    const { splits, heldBack, ...rest } = await load();
    const { train, val } = splits;
    expect([train!.samples.length, val!.samples.length]).toEqual([16, 4]);
    expect(val!.samples.map(({ annotations }) => annotations[0]!.label).sort()).toEqual([0, 0, 1, 1]);
    expect([train!.name, val!.name]).toEqual(["train", "val"]);
    const files = new Set([...train!.samples, ...val!.samples].map(({ file }) => file));
    expect(files.size).toBe(20);
    expect(heldBack).toEqual({
      ...{ fraction: 0.2, seed: 0, group: null },
      train: train!.samples.map(({ file }) => file),
      val: val!.samples.map(({ file }) => file),
    });
    expect((await load()).heldBack).toEqual(heldBack);
    expect((await load(1)).heldBack!.val).not.toEqual(heldBack!.val);
    const said = datasetSummary({ splits, ...rest })
      .map(factLine)
      .join("\n");
    expect(said).toMatch(
      /Validation: 4 of 20 training images are held back \(data\.val_fraction 0\.2, data\.split_seed 0\)/,
    );
    expect(said).toMatch(/few boxes in val, whose AP says little: cat 2, dog 2/);
  });

  it("keeps copies, near-duplicates and groups on one side", async () => {
    await picture("near.jpg", 100, 60);
    await copyFile(join(root, "train/1.jpg"), join(root, "train/copy.jpg"));
    const files = [...FILES, "near.jpg", "copy.jpg"];
    await text("train/_annotations.coco.json", annotationsOf(files));
    for (let seed = 0; seed < 8; seed++) {
      const { heldBack, notes } = await loadDataset({ dir: root, val_fraction: 0.3, split_seed: seed });
      for (const pair of [["0.jpg", "near.jpg"], ["1.jpg", "copy.jpg"]]) // biome-ignore format: one line
        expect(new Set(pair.map((file) => heldBack!.val.includes(file))).size, pair.join()).toBe(1);
      expect(notes!.map(factLine).join()).toMatch(
        /20 sets stay together, the largest of 2 images \(1 copies, 1 near-duplicates\)/,
      );
    }
    const apart = await loadDataset({ dir: root, val_fraction: 0.3, near_duplicates: "apart" });
    expect(apart.notes!.map(factLine).join()).toMatch(/21 sets stay together.*\(1 copies\)/);
    const grouped = await loadDataset({ dir: root, val_fraction: 0.3, group: "^(1)" });
    const tens = grouped.heldBack!.val.filter((file) => file.startsWith("1"));
    expect([0, 11]).toContain(tens.length);
  });

  it("is refused where there is a val split, and where all images are one group", async () => {
    const one = { dir: root, val_fraction: 0.2, group: "(jpg)$" };
    expect(await message(loadDataset(one))).toMatch(/20 training images cannot be parted.*data\.group \(\(jpg\)\$\)/);
    await text("valid/_annotations.coco.json", annotationsOf([]));
    expect(await message(loadDataset({ dir: root, val_fraction: 0.2 }))).toMatch(
      /data\.val_fraction is 0\.2, but the data set has a val split of its own: .*valid/,
    );
  });

  it("is what a data set without val is told of", async () => {
    const failed = await loadDataset({ dir: root }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ hint: expect.stringMatching(/data\.val_fraction: 0\.2/) });
  });

  it("goes on with the split that was made before, whatever came and went since", async () => {
    const { heldBack } = await loadDataset({ dir: root, val_fraction: 0.2 });
    await picture("new.jpg", 7);
    const files = [...FILES.filter((file) => file !== heldBack!.val[0]), "new.jpg"];
    await text("train/_annotations.coco.json", annotationsOf(files));
    const again = await loadDataset({ dir: root, val_fraction: 0.5, split_seed: 9 }, { kept: heldBack });
    const names = (split: "train" | "val") => again.splits[split]!.samples.map(({ file }) => file);
    expect(names("val").sort()).toEqual(heldBack!.val.slice(1).sort());
    expect(names("train").sort()).toEqual([...heldBack!.train].sort());
    expect(again.heldBack).toEqual(heldBack);
    const said = again.notes!.map(factLine).join("\n");
    expect(said).toMatch(/1 images are new since then/);
    expect(said).toMatch(/1 images of then are not there/);
  });
});
