import { beforeEach, describe, expect, it } from "vitest";
import { image, message, root, text } from "../../../tests/support/datasetFolder.ts";
import { factLine } from "../../util/text/fact.ts";
import { datasetSummary, loadDataset } from "../dataset/dataset.ts";
import { type ClassRules, classRulesFrom } from "./classRules.ts";

const NAMES = ["Cat", "dog", "car", "truck", "person"];
/** Labels of the boxes of each image. */
const BOXES = [[0, 2], [1, 3, 4], [4, 4], []];

const annotated = (boxes: readonly number[][]) => ({
  images: boxes.map((_, id) => ({ id, file_name: `${id}.png`, width: 20, height: 10 })),
  categories: NAMES.map((name, i) => ({ id: 10 * (i + 1), name })),
  annotations: boxes.flatMap((labels, image_id) =>
    labels.map((label, i) => {
      return {
        id: 100 * image_id + i,
        image_id,
        category_id: 10 * (label + 1),
        bbox: [1, 1, 2 + i, 2],
        area: 4,
        iscrowd: 0,
      };
    }),
  ),
});

beforeEach(async () => {
  for (const i of BOXES.keys()) await image(`train/${i}.png`, 20, 10, i);
  await image("valid/0.png", 20, 10, 77);
  await text("train/_annotations.coco.json", annotated(BOXES));
  await text("valid/_annotations.coco.json", annotated([[3]]));
});

const load = async (classes: ClassRules, options = {}) => {
  const dataset = await loadDataset({ dir: root, classes }, options);
  const labels = dataset.splits.train!.samples.map(({ annotations }) => annotations.map((a) => a.label));
  const table = dataset.classes.map(({ label, name, categoryId }) => `${label} ${name} ${categoryId}`);
  return { dataset, labels, table, said: datasetSummary(dataset).map(factLine).join("\n") };
};

describe("data.classes", () => {
  it("merges, renames and drops by name, in every split, and says what that did", async () => {
    const rules = { rename: { Cat: "cat" }, merge: { vehicle: ["car", "truck"] }, drop: ["person"] };
    const { dataset, labels, table, said } = await load(rules);
    expect(table).toEqual(["0 cat 10", "1 dog 20", "2 vehicle 30"]);
    expect(labels).toEqual([[0, 2], [1, 2], [], []]);
    expect(dataset.splits.val!.samples[0]!.annotations[0]).toMatchObject({ label: 2, categoryId: 30 });
    expect(said).toContain(
      "Classes (data.classes): car, truck are vehicle; Cat is cat; dropped are person (3 boxes); 1 image has no box any more",
    );
    expect(said).toMatch(/train: 4 images \(2 without boxes, 4 boxes\)/);
  });

  it("keeps some only, by their names in the files or their new ones", async () => {
    expect((await load({ keep: ["dog", "truck"] })).table).toEqual(["0 dog 20", "1 truck 40"]);
    const renamed = await load({ merge: { truck: ["car", "truck"] }, keep: ["truck", "Cat"], rename: { Cat: "cat" } });
    expect(renamed.table).toEqual(["0 cat 10", "1 truck 40"]); // the id of the class that had the name before
    expect(renamed.labels).toEqual([[0, 1], [1], [], []]);
  });

  it("takes two classes of one new name for one", async () => {
    expect((await load({ rename: { car: "dog", truck: "dog" } })).table).toEqual([
      "0 Cat 10",
      "1 dog 20",
      "2 person 50",
    ]);
  });

  it.each<[string, ClassRules, RegExp]>([
    [
      "a class that is not there",
      { drop: ["persn"] },
      /data\.classes\.drop: .*no class "persn"\. Did you mean "person"/,
    ],
    ["one to be merged", { merge: { pet: ["Cat", "bird"] } }, /data\.classes\.merge\.pet: .*no class "bird"/],
    ["two names for a class", { rename: { Cat: "x" }, merge: { y: ["Cat"] } }, /gives "Cat" two names: x and y/],
    ["a class both kept and dropped", { keep: ["dog"], drop: ["dog"] }, /both keeps and drops "dog"/],
    ["nothing left", { drop: NAMES }, /leaves no class/],
  ])("refuses %s", async (_what, rules, expected) => {
    expect(await message(load(rules))).toMatch(expected);
  });

  it("leaves alone what another data set does not have, where it is said to be another one", async () => {
    const rules = { rename: { Kater: "Cat" }, merge: { vehicle: ["car", "truck", "bus"] }, drop: ["bird"] };
    const { table } = await load(rules, { knownClasses: false });
    expect(table).toEqual(["0 Cat 10", "1 dog 20", "2 vehicle 30", "3 person 50"]);
  });
});

it("rules that a file carries are read where they are rules", () => {
  const rules = { keep: ["a"], merge: { b: ["c", "d"] }, rename: { e: "f" } };
  expect(classRulesFrom(JSON.stringify(rules))).toEqual(rules);
  for (const other of [undefined, 3, "{", "[]", '{"keep":"a"}', '{"merge":{"b":"c"}}', '{"rename":{"a":1}}'])
    expect(classRulesFrom(other)).toBeNull();
});
