// A data set written by hand into a folder of its own, which is new for each test.

import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { beforeEach, expect } from "vitest";
import { UserError } from "../../src/util/errors.ts";

/** A folder of its own for each test. */
export let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "dataset-"));
});

export async function image(path: string, width = 20, height = 10, shade = 0): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  const background = { r: shade, g: 10, b: 20 };
  await sharp({ create: { width, height, channels: 3, background } }).toFile(join(root, path));
}

export async function text(path: string, content: string | object): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), typeof content === "string" ? content : JSON.stringify(content));
}

type Box = [number, number, number, number];
export const coco = (file: string, category_id: number, ...boxes: Box[]) => ({
  images: [{ id: 1, file_name: file, width: 20, height: 10 }],
  categories: [{ id: category_id, name: "cat", supercategory: "none" }],
  annotations: boxes.map((bbox, i) => ({
    id: i + 1,
    image_id: 1,
    category_id,
    bbox,
    area: bbox[2] * bbox[3],
    iscrowd: 0,
  })),
});

/** A Roboflow export with one image a split. */
export async function roboflow(
  train: object = coco("a.png", 1, [1, 2, 3, 4]),
  val: object = coco("b.png", 1, [1, 2, 3, 4]),
) {
  await image("train/a.png", 20, 10, 1);
  await image("valid/b.png", 20, 10, 2);
  await text("train/_annotations.coco.json", train);
  await text("valid/_annotations.coco.json", val);
}

export async function message(promise: Promise<unknown>): Promise<string> {
  const failed = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(failed).toBeInstanceOf(UserError);
  return (failed as UserError).message;
}
