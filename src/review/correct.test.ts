import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { image, message, root, text } from "../../tests/support/datasetFolder.ts";
import { convertDataset } from "../convert/convertDataset.ts";
import { loadDataset } from "../data/dataset/dataset.ts";
import type { SuspectRecord, SuspectsRecord } from "../report/suspects/suspectsRecord.ts";
import { CORRECTIONS, correctLabels } from "./correct.ts";
import { loadAsItIs, reviewFingerprint } from "./source.ts";

const BOXES = [[10, 10, 20, 20], [40, 10, 20, 20], [41, 11, 20, 20], [10, 50, 20, 20]] as const; // biome-ignore format: one line

const set = () => join(root, "set");

beforeEach(async () => {
  for (const split of ["train", "valid"]) {
    await image(`set/${split}/${split}.png`, 100, 80, split.length);
    await text(`set/${split}/_annotations.coco.json`, {
      images: [{ id: 7, file_name: `${split}.png`, width: 100, height: 80 }],
      categories: [{ id: 3, name: "ant" }, { id: 8, name: "bee" }],
      annotations: BOXES.map((bbox, i) => ({ id: 20 + i, image_id: 7, category_id: split === "valid" && i === 0 ? 8 : 3, bbox, area: 400, iscrowd: 0 })),
    }); // biome-ignore format: one line
  }
});

const at = (index: number) => ({ index, id: 20 + index, class: "ant", bbox: [...BOXES[index]!] as [number, number, number, number] }); // biome-ignore format: one line
const base = { score: 0.5, split: "train", image_id: 7, file_name: "train.png", decision: "accept" } as const;
const SUSPECTS: SuspectRecord[] = [
  { ...base, id: 1, kind: "missing", found: { class: "bee", bbox: [70, 40, 10, 12], score: 0.9 } },
  { ...base, id: 2, kind: "class", label: at(0), found: { class: "bee", bbox: [10, 10, 20, 20], score: 0.8 } },
  { ...base, id: 3, kind: "double", label: at(2), other: at(1) },
  { ...base, id: 4, kind: "place", label: at(3), found: { class: "ant", bbox: [12.5, 52, 22, 20], score: 0.8 } },
];

async function decided(suspects: SuspectRecord[] = SUSPECTS, dir = set()): Promise<string> {
  const data = { description: "x", fingerprint: await reviewFingerprint(await loadAsItIs({ dir })) };
  const made = { weights: "w", sha256: "0", program: "p", date: "d" };
  const path = join(root, "decisions.json");
  await writeFile(path, JSON.stringify({ format: 1, made, data, suspects } satisfies SuspectsRecord));
  return path;
}
const correct = async (suspects?: SuspectRecord[], more: { acceptAbove?: number; dir?: string; out?: string } = {}) => {
  const { acceptAbove, dir = set(), out = "out" } = more;
  return correctLabels({ data: { dir }, decisions: await decided(suspects, dir), out: join(root, out), acceptAbove });
};
const labelsIn = async (dir: string, split: "train" | "val" = "train") => {
  const { splits, classes } = await loadDataset({ dir });
  return splits[split]!.samples[0]!.annotations.map(({ label, box }) => [
    classes[label]!.name,
    ...box.map((side) => Math.round(side * 10) / 10),
  ]);
};
const CORRECTED = [
  ["bee", 10, 10, 30, 30],
  ["ant", 40, 10, 60, 30],
  ["ant", 12.5, 52, 34.5, 72],
  ["bee", 70, 40, 80, 52],
];

/** Names and bytes of all files in a folder. */
async function bytesOf(folder: string): Promise<string> {
  const hash = createHash("sha256");
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((one) => one.isFile());
  for (const path of names.map((one) => join(one.parentPath, one.name)).sort()) hash.update(path).update(await readFile(path)); // biome-ignore format: one line
  return hash.digest("hex");
}

describe("a corrected copy", () => {
  for (const to of ["coco", "yolo", "voc"] as const)
    test(`in ${to}'s layout has what was accepted, the set itself stays, and corrections.json says which`, async () => {
      const dir = to === "coco" ? set() : join(root, to);
      if (to !== "coco") await convertDataset({ dir: set() }, { to, out: dir });
      const before = await bytesOf(dir);
      const ids = (await loadDataset({ dir })).splits.train!.samples[0]!;
      const suspects = SUSPECTS.map((one) => ({ ...one, image_id: ids.imageId }));
      const correction = await correct(suspects, { dir });
      expect(correction).toMatchObject({ to, accepted: { missing: 1, class: 1, place: 1, double: 1 }, rejected: 0 });
      expect(await bytesOf(dir)).toBe(before);
      expect(await labelsIn(join(root, "out"))).toEqual(CORRECTED);
      expect(await labelsIn(join(root, "out"), "val")).toHaveLength(4);
      const said = JSON.parse(await readFile(join(root, "out", CORRECTIONS), "utf8"));
      expect(said).toMatchObject({ made: { weights: "w" }, decisions: { file: "decisions.json" } });
      expect(said.corrected.map(({ id, by }: { id: number; by: string }) => [id, by])).toEqual([1, 2, 3, 4].map((id) => [id, "decision"])); // biome-ignore format: one line
    });

  test("keeps ids in COCO, gives new labels their own, and a label that was by a model is a person's then", async () => {
    const path = join(set(), "train/_annotations.coco.json");
    const file = JSON.parse(await readFile(path, "utf8"));
    for (const one of file.annotations) Object.assign(one, { made_by_model: "m", score: 0.6 });
    await writeFile(path, JSON.stringify(file));
    await correct();
    const { splits } = await loadDataset({ dir: join(root, "out") });
    const labels = splits.train!.samples[0]!.annotations.map(({ id, byModel, score }) => [id, byModel?.model, score]);
    expect(labels).toEqual([[20, undefined, undefined], [21, "m", 0.6], [23, undefined, undefined], [24, undefined, undefined]]); // biome-ignore format: one line
  });

  test("of a layout that is only read is in COCO's, which is said", async () => {
    const rows = BOXES.map(([x, y, w, h]) => `a.png,ant,${x},${y},${x + w},${y + h}`);
    await image("csv/train/a.png", 100, 80);
    await text("csv/train/_annotations.csv", `filename,class,xmin,ymin,xmax,ymax\n${rows.join("\n")}\n`);
    const dir = join(root, "csv");
    const imageId = (await loadDataset({ dir }, { require: [] })).splits.train!.samples[0]!.imageId;
    const { to, notes } = await correct([{ ...SUSPECTS[2]!, image_id: imageId }], { dir });
    expect([to, notes[0]]).toEqual(["coco", "The layout csv is read only: the copy is in COCO's."]);
  });

  test("a mask moves with its box, and is given up where only a box is known", async () => {
    const path = join(set(), "train/_annotations.coco.json");
    const file = JSON.parse(await readFile(path, "utf8"));
    for (const one of file.annotations) one.segmentation = [[10, 10, 30, 10, 30, 30]];
    await writeFile(path, JSON.stringify(file));
    const runs = { size: [80, 100] as [number, number], counts: [0, 240, 7760] };
    const found = { class: "ant", bbox: [0, 0, 3, 80] as [number, number, number, number], score: 0.9 };
    await correct([
      { ...SUSPECTS[3]!, label: at(0), found: { ...found, segmentation: runs } },
      { ...SUSPECTS[3]!, label: at(1), found },
    ]);
    const [with_, without] = (await loadDataset({ dir: join(root, "out") })).splits.train!.samples[0]!.annotations;
    expect(with_).toMatchObject({ mask: runs, area: 240 });
    expect(without!.mask).toBeUndefined();
  });
});

describe("what is refused", () => {
  test("decisions of a data set that has changed, be it a label or a picture", async () => {
    const decisions = await decided();
    const again = () => correctLabels({ data: { dir: set() }, decisions, out: join(root, "out") });
    const path = join(set(), "valid/_annotations.coco.json");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace('"bbox":[10,10,20,20]', '"bbox":[10,10,20,21]'));
    expect(await message(again())).toMatch(/decisions\.json is of another data set, or of this one before it was changed/); // biome-ignore format: one line
    await writeFile(path, text);
    await image("set/train/train.png", 100, 80, 99);
    expect(await message(again())).toMatch(/before it was changed/);
    expect(await readdir(root)).not.toContain("out");
  });

  test("a folder that has files, or that lies in the data set", async () => {
    await text("out/x", "");
    expect(await message(correct())).toMatch(/has files in it/);
    expect(await message(correct(SUSPECTS, { out: "set/out" }))).toMatch(/lie in each other/);
  });

  test("decisions that accept nothing; scores accept only what nobody has decided on", async () => {
    const open = SUSPECTS.map(({ decision: _, ...one }): SuspectRecord => one);
    expect(await message(correct(open))).toMatch(/accepts nothing/);
    expect(await message(correct(SUSPECTS.map((one) => ({ ...one, decision: "reject" })), { acceptAbove: 0 }))).toMatch(/accepts nothing/); // biome-ignore format: one line
    const { accepted, open: left } = await correct([open[0]!, { ...open[1]!, score: 0.4 }], { acceptAbove: 0.5 });
    expect([accepted.missing, accepted.class, left]).toEqual([1, 0, 1]);
  });

  test("files that are none, and values that lead nowhere", async () => {
    const first = SUSPECTS[0]!;
    const found = first.found!;
    const cases: [SuspectRecord, RegExp][] = [
      [{ ...first, kind: "other" as "missing" }, /suspects\[0\] is of no kind/],
      [{ ...first, split: "../x" as "train" }, /suspects\[0\] is of no split/],
      [{ ...first, decision: "yes" as "accept" }, /has the decision "yes"/],
      [{ ...first, found: { ...found, bbox: [1, 2, 3, 0] } }, /no usable "found"/],
      [{ ...first, found: { ...found, bbox: [1, 2, 1e300, 3] } }, /reaches out of its image/],
      [{ ...first, found: { ...found, class: "__proto__" } }, /names the class "__proto__"/],
      [{ ...first, found: { ...found, segmentation: { size: [1e9, 1e9], counts: [1] } } }, /the mask has the size/],
      [{ ...first, image_id: 99 }, /of an image that the data set does not have/],
      [{ ...first, split: "test" }, /names the split test/],
      [{ ...SUSPECTS[1]!, label: { ...at(0), index: 4 } }, /of a label that the data set does not have/],
      [{ ...SUSPECTS[1]!, label: { ...at(0), index: -1 } }, /of a label that the data set does not have/],
    ];
    for (const [suspect, said] of cases) expect(await message(correct([suspect]))).toMatch(said);
    const path = await decided();
    for (const content of [
      "[]",
      "{}",
      '{"format":2}',
      '{"format":1,"made":{},"data":{"fingerprint":3},"suspects":[]}',
      "nonsense",
    ]) {
      // biome-ignore format: one line
      await writeFile(path, content);
      expect(await message(correctLabels({ data: { dir: set() }, decisions: path, out: join(root, "out") }))).toContain(path); // biome-ignore format: one line
    }
    expect(await readdir(root)).not.toContain("out");
  });
});
