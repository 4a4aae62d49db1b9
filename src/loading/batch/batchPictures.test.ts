import { expect, test } from "vitest";
import { colourOf } from "../../data/image/draw.ts";
import { normalise } from "../../data/image/resize.ts";
import type { Target } from "../../instance/instance.ts";
import { batchPictures } from "./batchPictures.ts";

const SIDE = 600;
const grey = { data: new Uint8Array(3 * SIDE * SIDE).fill(90), width: SIDE, height: SIDE };
const classes = [{ name: "tree", categoryId: 1, label: 0 }, { name: "bush", categoryId: 2, label: 1 }]; // biome-ignore format: one line

test("pictures have the bytes of the images, boxes and masks where they are, and no padding", async () => {
  const images = new Float32Array(2 * 3 * SIDE * SIDE);
  images.set(normalise(grey), 0);
  const small = normalise({ data: new Uint8Array(3 * 500 * 500).fill(200), width: 500, height: 500 });
  for (let y = 0; y < 500; y++) images.set(small.subarray(1500 * y, 1500 * (y + 1)), 3 * SIDE * (SIDE + y));
  const mask = new Uint8Array(2 * SIDE * SIDE);
  for (let y = 0; y < SIDE; y++) mask.fill(1, (SIDE + y) * SIDE + (y < 500 ? 500 : 0), (SIDE + y + 1) * SIDE);
  const region = new Uint8Array(500 * 500);
  for (let y = 100; y < 200; y++) region.fill(1, 500 * y + 300, 500 * y + 400);
  const targets: Target[] = [
    { boxes: Float32Array.of(0.5, 0.25, 0.2, 0.1), labels: Int32Array.of(1) },
    {
      boxes: Float32Array.of(0.7, 0.3, 0.2, 0.2),
      labels: Int32Array.of(0),
      masks: { size: [500, 500], pixels: region, present: Uint8Array.of(1) },
    },
  ];
  const files = ["a.png", "b.png"];
  const [first, second] = await batchPictures({ images, mask, shape: [2, SIDE, SIDE, 3], targets, files }, classes);
  const at = ({ picture: { data, width } }: typeof first & {}, x: number, y: number) => [
    ...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3),
  ];
  expect([first!.image, first!.objects, first!.picture.width]).toEqual(["a.png", 1, SIDE]);
  expect(at(first!, 10, 10)).toEqual([90, 90, 90]);
  expect(at(first!, 240, 121)).toEqual([...colourOf(1)]);
  expect([second!.image, second!.picture.width, second!.picture.height]).toEqual(["b.png", 500, 500]);
  expect(at(second!, 10, 490)).toEqual([200, 200, 200]);
  expect(at(second!, 350, 150)).not.toEqual([200, 200, 200]);
});
