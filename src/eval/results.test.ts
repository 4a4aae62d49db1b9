import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { UserError } from "../util/errors.ts";
import { evaluateResults } from "./measure.ts";
import { readAnnotations, readResults } from "./results.ts";

const folder = mkdtempSync(join(tmpdir(), "rfdetr-results-"));
afterAll(() => rmSync(folder, { recursive: true }));

const truth = () => ({
  images: [{ id: 0 }, { id: 7 }],
  categories: [{ id: 3, name: "tree" }],
  annotations: [{ id: 1, image_id: 7, category_id: 3, bbox: [1, 2, 3, 4] }] as Record<string, unknown>[],
});
const found = { image_id: 7, category_id: 3, bbox: [1, 2, 3, 4], score: 0.5 };

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

async function failure(promise: Promise<unknown>): Promise<UserError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

describe("readAnnotations", () => {
  it("refuses labels that a model made and nobody has seen, and says how they become a person's", async () => {
    for (const key of ["images", "annotations"] as const) {
      const gt = truth();
      const marked = { ...gt, [key]: gt[key].map((one: object) => ({ ...one, made_by_model: "w" })) };
      const error = await failure(readAnnotations(file("marked.json", marked)));
      expect(error.message).toMatch(/marked\.json: .* is labelled by a model and not yet seen by a person\.$/);
      expect(error.hint).toContain('delete the key "made_by_model" from all images and annotations in it');
    }
  });

  it("gives a box its own area where the file has none, and takes it for no crowd", async () => {
    const { groundTruths, imageIds, categories } = await readAnnotations(file("gt.json", truth()));
    const bbox = [1, 2, 3, 4];
    expect(groundTruths).toEqual([{ id: 1, imageId: 7, categoryId: 3, bbox, area: 12, isCrowd: false }]);
    expect([...imageIds]).toEqual([0, 7]);
    expect(categories).toEqual([{ id: 3, name: "tree" }]);
    const images = [{ id: 7, coco_url: "http://images.cocodataset.org/val2017/7.jpg" }];
    const { files } = await readAnnotations(file("lvis.json", { ...truth(), images }));
    expect([...files]).toEqual([["7.jpg", [{ id: 7, parts: ["7.jpg", "val2017"] }]]]);
  });

  it.each([
    [{ bbox: [1, 2, 3] }, "annotations[0] has the bbox [1,2,3], which must be four numbers"],
    [{ bbox: [1, 2, null, 4] }, "annotations[0] has the bbox [1,2,null,4]"],
    [{ bbox: [1, 2, -3, 4] }, "annotations[0] has a bbox of negative size"],
    [{ image_id: 8 }, "annotations[0] belongs to image 8, which is not among the images"],
    [{ image_id: "7" }, 'annotations[0] has the image_id "7", which must be a whole number'],
    [{ category_id: 4 }, "annotations[0] has category 4, which is not among the categories"],
    [{ area: "big" }, "annotations[0] has an area that is no number"],
  ])("names file and entry of a wrong annotation: %j", async (change, message) => {
    const path = file("gt.json", { ...truth(), annotations: [{ ...truth().annotations[0], ...change }] });
    expect((await failure(readAnnotations(path))).message).toContain(`${path}: ${message}`);
  });

  it("refuses what is no annotation file", async () => {
    expect((await failure(readAnnotations(join(folder, "none.json")))).message).toContain("no such file");
    expect((await failure(readAnnotations(file("cut.json", '{"images": [')))).message).toContain("is not valid JSON");
    expect((await failure(readAnnotations(file("list.json", [found])))).hint).toContain("--predictions");
    const { images, categories } = truth();
    const path = file("gt.json", { images, categories });
    expect((await failure(readAnnotations(path))).message).toBe(`${path}: "annotations" is missing or no list.`);
    const twice = { ...truth(), annotations: [truth().annotations[0], truth().annotations[0]] };
    expect((await failure(readAnnotations(file("gt.json", twice)))).message).toContain("[1] has the id 1 of another");
  });
});

describe("readResults", () => {
  it("counts and leaves out detections of categories that are not annotated", async () => {
    const annotations = await readAnnotations(file("gt.json", truth()));
    const path = file("results.json", [found, { ...found, category_id: 9 }, { ...found, category_id: 9 }]);
    const { detections, unknown } = await readResults(path, annotations);
    expect(detections).toEqual([{ imageId: 7, categoryId: 3, bbox: [1, 2, 3, 4], score: 0.5 }]);
    expect(unknown).toEqual(new Map([[9, 2]]));
    const alien = file("results.json", [{ ...found, category_id: 9 }]);
    expect((await failure(readResults(alien, annotations))).hint).toContain(
      "ids are 9; those of the annotations are 3",
    );
    expect((await readResults(file("results.json", []), annotations)).detections).toEqual([]);
  });

  it.each([
    [{ score: undefined }, "[1] has no score that is a number"],
    [{ image_id: 5 }, "[1] belongs to image 5, which the annotations do not list"],
    [{ bbox: "1 2 3 4" }, '[1] has the bbox "1 2 3 4"'],
    [{ category_id: 1.5 }, "[1] has the category_id 1.5, which must be a whole number"],
  ])("names file and entry of a wrong detection: %j", async (change, message) => {
    const annotations = await readAnnotations(file("gt.json", truth()));
    const path = file("results.json", [found, { ...found, ...change }]);
    expect((await failure(readResults(path, annotations))).message).toContain(`${path}: ${message}`);
  });

  it("goes by the names of images and categories where both files have them, whatever the ids", async () => {
    const annotated = {
      ...{ categories: [{ id: 1, name: "cup" }, { id: 2, name: "plate" }], annotations: [] },
      images: [{ id: 4, file_name: "a/1.jpg" }, { id: 5, file_name: "b/1.jpg" }, { id: 6, file_name: "e\u0301.jpg" }],
    }; // biome-ignore format: one line
    const annotations = await readAnnotations(file("named.json", annotated));
    const row = (file_name: string, more = {}) => ({ image_id: 4, category_id: 1, bbox: [1, 2, 3, 4], score: 0.5, file_name, ...more }); // biome-ignore format: one line
    const read = (...rows: object[]) => readResults(file("rows.json", rows), annotations);
    const rows = [row("photos/b/1.jpg"), row("C:\\a\\1.jpg"), row("\u00e9.jpg", { image_id: 99 }), row("1.jpg")];
    expect((await read(...rows)).detections.map(({ imageId }) => imageId)).toEqual([5, 4, 6, 4]);
    const plate = await read(row("a/1.jpg", { category_name: "plate" }));
    expect(plate.detections).toMatchObject([{ categoryId: 2 }]);
    expect((await failure(read(row("other.jpg")))).message).toContain("[0] has the file_name other.jpg, which the annotations do not list"); // biome-ignore format: one line
    expect((await failure(read(row("1.jpg", { image_id: 6 })))).message).toContain("which fits 2 images");
    const dog = read(row("a/1.jpg", { category_name: "dog" }));
    expect((await failure(dog)).message).toContain(
      "is of dog by its category_name, but its category 1 is annotated as cup",
    );
  });

  it("breaks ties between images in the same order however the annotations number them", async () => {
    const boxes = [[5, 5, 20, 15], [30, 5, 20, 16]]; // biome-ignore format: one line
    const written = (id: (image: number) => number) => ({
      images: [1, 2, 3].map((image) => ({ id: id(image), file_name: `${image}.jpg` })),
      categories: [{ id: 1, name: "cup" }],
      annotations: [1, 2].map((image) => ({ id: image, image_id: id(image), category_id: 1, bbox: boxes[image - 1] })),
    });
    const rows = [1, 2].map((image) => ({ image_id: image, category_id: 1, bbox: boxes[0], score: 0.9, file_name: `x/${image}.jpg` })); // biome-ignore format: one line
    const predictions = file("tied.json", rows);
    const measured = [(image: number) => image, (image: number) => 4 - image].map(async (id, i) => {
      const { metrics } = await evaluateResults({ predictions, annotations: file(`order-${i}.json`, written(id)) });
      return metrics;
    });
    expect(await measured[1]).toEqual(await measured[0]);
    expect((await measured[0])!["AP50:95"]).toBeGreaterThan(0.5);
  });

  it.skipIf(process.platform === "win32")("does not wait for a pipe in place of either file", async () => {
    const pipe = join(folder, "pipe.json");
    execFileSync("mkfifo", [pipe]);
    const [annotations, predictions] = [file("gt.json", truth()), file("results.json", [found])];
    for (const options of [
      { annotations, predictions: pipe },
      { annotations: pipe, predictions },
    ])
      expect((await failure(evaluateResults(options))).message).toContain(
        "pipe.json: it is a pipe, not a regular file",
      );
  });

  it("says that JSON has no NaN", async () => {
    const annotations = await readAnnotations(file("gt.json", truth()));
    const path = file("results.json", '[{"score": NaN}]');
    expect((await failure(readResults(path, annotations))).hint).toBe("JSON has no NaN or Infinity.");
  });
});
