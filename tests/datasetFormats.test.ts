// Every layout that is read gives what its tool wrote, and what is converted from it is read back the same.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { convertDataset } from "../src/convert/convertDataset.ts";
import { type Dataset, loadDataset } from "../src/data/dataset/dataset.ts";
import { SPLITS } from "../src/data/dataset/sample.ts";
import { rngFromSeed } from "../src/util/random/rng.ts";
import { FAKE_FORMATS, type FakeFormat, type FakeSet, randomSet } from "./support/datasetFormats.ts";

/** Random data sets of each layout; a third of them is converted, too. */
const ROUNDS = Number(process.env.RFDETR_TRAIN_ROUNDS ?? 15);

type Plain = { file: string; size: (number | null)[]; objects: { name: string; numbers: number[] }[] };

/** What a set holds, an image after the other by name; `masks`, `sizes`: whether these are looked at. */
function plainFake(set: FakeSet, { masks, sizes }: Pick<FakeFormat, "masks" | "sizes">): Record<string, Plain[]> {
  return plain(SPLITS.flatMap((name) => (set[name] ? [[name, set[name]] as const] : [])).map(([name, images]) => [
    name,
    images.map(({ file, width, height, objects }) => ({
      file,
      size: sizes ? [width, height] : [],
      objects: objects.map(({ name, box, polygon }) => ({ name, numbers: [...box, ...(masks ? (polygon ?? []) : [])] })),
    })),
  ])); // biome-ignore format: one line
}

function plainRead(
  { splits, classes }: Dataset,
  { masks, sizes }: Pick<FakeFormat, "masks" | "sizes">,
): Record<string, Plain[]> {
  return plain(SPLITS.flatMap((name) => (splits[name] ? [[name, splits[name]] as const] : [])).map(([name, { samples }]) => [
    name,
    samples.map(({ file, width, height, annotations }) => ({
      file: file.replace(/^(images|test|train|valid)[\\/]/, ""),
      size: sizes ? [width, height] : [],
      objects: annotations.map(({ label, box, mask }) => {
        const polygons = mask && "polygons" in mask ? mask.polygons.flat() : [];
        return { name: classes[label]!.name, numbers: [...box, ...(masks ? polygons : [])] };
      }),
    })),
  ])); // biome-ignore format: one line
}

function plain(splits: [string, Plain[]][]): Record<string, Plain[]> {
  const byName = (images: Plain[]) => [...images].sort((a, b) => (a.file < b.file ? -1 : 1));
  return Object.fromEntries(splits.map(([name, images]) => [name, byName(images)]));
}

function expectSame(read: Record<string, Plain[]>, wanted: Record<string, Plain[]>): void {
  const numbers = (all: Record<string, Plain[]>) => Object.values(all).flat().flatMap(({ objects }) => objects.flatMap((one) => one.numbers)); // biome-ignore format: one line
  const without = (all: Record<string, Plain[]>) => JSON.stringify(all, (key, value) => (key === "numbers" ? value.length : value), 1); // biome-ignore format: one line
  expect(without(read)).toBe(without(wanted));
  const others = numbers(wanted);
  const furthest = numbers(read).reduce((most, value, i) => Math.max(most, Math.abs(value - others[i]!)), 0);
  expect(furthest).toBeLessThanOrEqual(1e-6);
}

/** All but what YOLO's reader has to say where by chance all polygons have four corners. */
const wrong = ({ problems }: Dataset) => problems.filter(({ kind }) => kind !== "not-boxes");

describe.each(Object.entries(FAKE_FORMATS))("%s", (_, format) => {
  it("is read as it was written, and converted as it is read", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const home = await mkdtemp(join(tmpdir(), "formats-"));
      const set = randomSet(rngFromSeed(14, round), format);
      await format.put(join(home, "set"), set);
      const dataset = await loadDataset({ dir: join(home, "set") }, { require: ["train"] });
      expect(dataset.layout).toBe(format.layout);
      expect(wrong(dataset)).toEqual([]);
      expectSame(plainRead(dataset, format), plainFake(set, format));
      for (const to of round % 3 === 0 ? (["coco", "yolo", "voc"] as const) : []) {
        const out = join(home, to);
        const { splits } = await convertDataset({ dir: join(home, "set") }, { to, out });
        expect(Object.keys(splits)).toEqual(Object.keys(dataset.splits));
        const again = await loadDataset({ dir: out }, { require: ["train"] });
        const all = { masks: format.masks, sizes: true };
        expectSame(plainRead(again, all), plainFake(set, all));
        expect(wrong(again)).toEqual([]);
        const { samples } = again.splits.train!;
        for (const { path } of dataset.splits.train!.samples) {
          const other = samples.find((one) => basename(one.path) === basename(path))!;
          expect((await readFile(other.path)).equals(await readFile(path))).toBe(true);
        }
        if (to === "coco" && /coco/.test(dataset.layout)) {
          expect(again.classes).toEqual(dataset.classes);
          const ids = ({ splits: all }: Dataset) => SPLITS.map((name) => all[name]?.samples.map(({ imageId, annotations }) => [imageId, annotations.map(({ id, categoryId, area }) => [id, categoryId, area])])); // biome-ignore format: one line
          expect(ids(again)).toEqual(ids(dataset));
        }
      }
      await rm(home, { recursive: true });
    }
  });
});
