import { join } from "node:path";
import { expect, it } from "vitest";
import { coco, message, roboflow, root, text } from "../../../../tests/support/datasetFolder.ts";
import { loadDataset } from "../dataset.ts";
import { scanDataset } from "./scan.ts";
import { wholenessProblems } from "./wholeness.ts";

const found = async () => wholenessProblems(await loadDataset({ dir: root }, { strict: false }));

it("a set without a box to train on is an error that says where the boxes went", async () => {
  const train = coco("a.png", 1, [1, 2, 3, 4], [2, 2, 3, 4]);
  for (const one of train.annotations) one.iscrowd = 1;
  await roboflow(train);
  expect((await found())[0]).toMatchObject({
    ...{ kind: "no-boxes", severity: "error" },
    message: expect.stringContaining("no box to train on is left in 1 image (2 are crowd regions"),
  });
  expect((await scanDataset(await loadDataset({ dir: root }, { strict: false }))).ok).toBe(false);

  const lost = coco("a.png", 1, [1, 2, 3, 4]);
  await roboflow({ ...lost, annotations: lost.annotations.map((one) => ({ ...one, image_id: "1.0" })) });
  expect((await found())[0]!.message).toMatch(/1 cannot be used, the first: .*of image "1.0", which is not listed/);
  await roboflow(coco("a.png", 1, [30, 2, 3, 4]));
  expect((await found())[0]!.message).toMatch(/1 cannot be used, the first: .*lies outside/);
  await roboflow(coco("a.png", 1));
  expect((await found())[0]!.message).toMatch(/no annotation was found for any of them/);
});

it("a class without a box, and classes of one name, are warned of", async () => {
  const names = ["cat", "dog", "cat"];
  const categories = names.map((name, id) => ({ id, name, supercategory: "none" }));
  await roboflow({ ...coco("a.png", 0, [1, 2, 3, 4]), categories }, { ...coco("b.png", 0), categories });
  const [empty, twins] = await found();
  expect(empty).toMatchObject({ kind: "empty-class", severity: "warning" });
  expect(empty!.message).toContain("no box to train on is of dog, cat");
  expect(twins!.message).toContain("several classes are called cat");
  const { splits } = await scanDataset(await loadDataset({ dir: root }, { strict: false }));
  expect(splits.train!.boxesPerClass).toEqual({ "cat (id 0)": 1, dog: 0, "cat (id 2)": 0 });
});

it("the classes of another split are matched by name, and an id that means two classes is refused", async () => {
  const categories = (from: number, ...names: string[]) => names.map((name, i) => ({ id: from + i, name }));
  const boxes = (file: string, from: number) => {
    const one = coco(file, 1, [1, 2, 3, 4], [5, 2, 3, 4]);
    return { ...one, annotations: one.annotations.map((a, i) => ({ ...a, category_id: from + i })) };
  };
  await roboflow(
    { ...boxes("a.png", 1), categories: categories(1, "cup", "plate") },
    { ...boxes("b.png", 11), categories: categories(11, "Plate ", "cup") },
  );
  const { splits } = await loadDataset({ dir: root });
  expect(splits.val!.samples[0]!.annotations.map(({ label, categoryId }) => [label, categoryId])).toEqual([
    [1, 2],
    [0, 1],
  ]);
  const path = join(root, "valid/_annotations.coco.json");
  const says = (id: number, here: string, there: string) =>
    `${path}: category ${id} has the name "${here}" here, but "${there}" in the training split: number the classes of all splits alike.`;
  await text("valid/_annotations.coco.json", { ...boxes("b.png", 1), categories: categories(1, "plate", "cup") });
  const swapped = await message(loadDataset({ dir: root }));
  expect(swapped).toBe(`${says(1, "plate", "cup")}\n${says(2, "cup", "plate")}`);
});
