import sharp from "sharp";
import { expect, it } from "vitest";
import { colourOf, drawObjects, encodePicture } from "./draw.ts";
import { builtInMask, textMask } from "./textMask.ts";

const grey = (width: number, height: number) => ({ data: new Uint8Array(3 * width * height).fill(90), width, height });
const pixel = ({ data, width }: { data: Uint8Array; width: number }, x: number, y: number) => [
  ...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3),
];

it("a box is drawn on its edges in the colour of its class, and its inside stays", async () => {
  const image = grey(600, 500);
  const picture = await drawObjects(image, [{ box: [100, 150, 300, 400], label: 3, text: "tree 0.91" }]);
  expect(picture).toMatchObject({ width: 600, height: 500 });
  for (const [x, y] of [[100, 150], [299, 399], [100, 399], [299, 300]] as const) // biome-ignore format: one line
    expect(pixel(picture, x, y)).toEqual([...colourOf(3)]);
  for (const [x, y] of [[99, 300], [103, 300], [300, 300], [200, 400]] as const) // biome-ignore format: one line
    expect(pixel(picture, x, y)).toEqual([90, 90, 90]);
  expect(pixel(picture, 101, 148)).toEqual([...colourOf(3)]); // the label, above
  expect(image.data.every((v) => v === 90)).toBe(true);
});

it("a box shows on an object of its own colour, by a dark line inside its own", async () => {
  const [red, green, blue] = colourOf(0);
  const object = {
    ...grey(600, 500),
    data: Uint8Array.from({ length: 3 * 600 * 500 }, (_, i) => [red, green, blue][i % 3]!),
  };
  const picture = await drawObjects(object, [{ box: [100, 150, 300, 400], label: 0, text: "" }]);
  for (const [x, y] of [[102, 300], [297, 300], [200, 152], [200, 397]] as const) // biome-ignore format: one line
    expect(Math.max(...pixel(picture, x, y))).toBeLessThan(40);
});

it("more than thirty boxes have no labels, which would hide them", async () => {
  const objects = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ box: [10 * i, 100, 10 * i + 8, 200] as const, label: 1, text: "tree" }));
  const above = (picture: { data: Uint8Array }) => picture.data.subarray(0, 3 * 600 * 100).some((v) => v !== 90);
  expect(above(await drawObjects(grey(600, 500), objects(30)))).toBe(true);
  expect(above(await drawObjects(grey(600, 500), objects(31)))).toBe(false);
});

it("a label stays in the picture, whatever the box and the text are", async () => {
  for (const box of [
    [0, 0, 20, 20],
    [590, 0, 600, 5],
    [-5, 480, 700, 520],
    [10, 10, 10, 10],
  ] as const) {
    // biome-ignore format: one line
    const text = `<a & b>\n\u0000é树🌳 ${"long ".repeat(30)}`;
    const picture = await drawObjects(grey(600, 500), [{ box, label: 0, text }]);
    expect(picture.data).toHaveLength(3 * 600 * 500);
    expect(picture.data.some((v) => v !== 90)).toBe(true);
  }
});

it("a small picture is enlarged, a large one gets thicker lines", async () => {
  const small = await drawObjects(grey(40, 20), [{ box: [5, 5, 30, 15], label: 1, text: "x" }]);
  expect(small).toMatchObject({ width: 320, height: 160 });
  const large = await drawObjects(grey(3000, 2000), [{ box: [500, 500, 1500, 1500], label: 1, text: "x" }]);
  expect(pixel(large, 505, 1000)).toEqual([...colourOf(1)]);
});

it("pictures are written as their names say", async () => {
  for (const [name, format] of [
    ["x.JPG", "jpeg"],
    ["x.png", "png"],
    ["x.webp", "webp"],
  ] as const) {
    // biome-ignore format: one line
    const metadata = await sharp(await encodePicture(grey(8, 6), name)).metadata();
    expect(metadata).toMatchObject({ format, width: 8, height: 6 });
  }
});

it("neighbouring classes have different colours", () => {
  const colours = Array.from({ length: 30 }, (_, label) => colourOf(label));
  expect(new Set(colours.map(String)).size).toBe(30);
  for (const channel of colours.flat()) expect(channel >= 0 && channel <= 255).toBe(true);
});

it("text without any ink is drawn as nothing", async () => {
  for (const text of ["", " ", "\u0000", "\u202e", "\u0000\u2028 \ud800 \u202e", "\u200b\u0301"])
    expect(await textMask(text, 20)).toMatchObject({ width: 1, height: 1, data: new Uint8Array(1) });
});

it("the built-in letters serve where the machine has no font", async () => {
  const { data, width, height } = builtInMask("Ti", 10);
  const rows = Array.from({ length: height }, (_, y) => [...data.subarray(y * width, (y + 1) * width)].map((v) => (v ? "#" : ".")).join("")); // biome-ignore format: one line
  expect(rows).toEqual(["#####..###.", "..#.....#..", "..#.....#..", "..#.....#..", "..#.....#..", "..#.....#..", "..#....###."]); // biome-ignore format: one line
  expect(builtInMask("é", 28)).toEqual(builtInMask("E", 28));
  expect(builtInMask("树", 28)).toEqual(builtInMask("?", 28));
  const mask = await textMask("tree 0.50", 20);
  expect(mask.data).toHaveLength(mask.width * mask.height);
  expect(mask.height).toBeGreaterThan(10);
});
