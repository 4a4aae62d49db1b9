import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readCoco } from "./coco.ts";

const path = join(mkdtempSync(join(tmpdir(), "coco-")), "a.json");

test("of a file's entries only what is used is held", async () => {
  const image = { id: 1, file_name: "a.jpg", width: 4, height: 3 };
  const annotation = { id: 7, image_id: 1, category_id: 2, bbox: [0, 1, 2, 3], area: 6, iscrowd: 0 };
  const shape = { segmentation: { size: [3, 4], counts: [12] }, keypoints: [1, 2, 2] };
  const category = { id: 2, name: "ü", supercategory: "none" };
  const more = { url: "http://x", neg: [1, 2], nested: { "]": "}" } };
  const file = {
    ...{ info: { year: 2020 }, licenses: [{ id: 1 }], extra: [more] },
    annotations: [{ ...annotation, ...shape, ...more }],
    images: [{ ...image, ...more }],
    categories: [{ ...category, ...more }],
  };
  writeFileSync(path, JSON.stringify(file));
  expect(await readCoco(path)).toEqual({
    path,
    images: [image],
    annotations: [{ ...annotation, ...shape }],
    categories: [category],
  });
});

test("damage is named with its entry, and so is an entry that is no object", async () => {
  const start = '{"categories": [{"id": 1, "name": "a"}], "images": [{"id": 1}';
  writeFileSync(path, `${start}, {"id": 2 "file_name": "b"}]}`);
  await expect(readCoco(path)).rejects.toThrow(`${path}: entry 1 of "images" (from byte ${start.length + 1}) is not`);
  writeFileSync(path, `${start}, 3]}`);
  await expect(readCoco(path)).rejects.toThrow('entry 1 of "images" is not an object');
  writeFileSync(path, `${start}, {"id":`);
  await expect(readCoco(path)).rejects.toMatchObject({
    message: expect.stringMatching(/is not valid JSON: the file ends within what begins here, at byte \d+\.$/),
    hint: expect.stringContaining("complete"),
  });
});

test("an image without a file_name has that of its coco_url, as LVIS writes them", async () => {
  const url = "http://images.cocodataset.org/val2017/000000397133.jpg";
  const images = [
    { id: 1, coco_url: url },
    { id: 2, coco_url: url, file_name: "own.jpg" },
    { id: 3, coco_url: 5 },
    { id: 4 },
  ];
  writeFileSync(path, JSON.stringify({ images, categories: [{ id: 1, name: "a" }], annotations: [] }));
  const names = ["val2017/000000397133.jpg", "own.jpg", undefined, undefined];
  expect((await readCoco(path)).images.map((image) => image.file_name)).toEqual(names);
});
