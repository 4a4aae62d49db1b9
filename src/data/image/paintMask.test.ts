import { expect, test } from "vitest";
import { encodeRuns, type Runs } from "../../instance/masks/runs.ts";
import { drawObjects } from "./draw.ts";
import { paintMask } from "./paintMask.ts";

const grey = (width: number, height: number) => ({ data: new Uint8Array(3 * width * height).fill(90), width, height });
const COLOUR = [200, 10, 250] as const;
const HALF = COLOUR.map((value) => Math.round(0.6 * 90 + 0.4 * value));

/** Rows of a picture that mask rows of text have become: "." untouched, "o" half-transparent, "#" outline. */
function painted(rows: string[], { width, height, line = 1 }: { width: number; height: number; line?: number }) {
  const picture = grey(width, height);
  paintMask(picture, maskOf(rows), { colour: COLOUR, line });
  const kinds = new Map([[90, "."], [HALF[0], "o"], [COLOUR[0], "#"]]); // biome-ignore format: one line
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => kinds.get(picture.data[3 * (y * width + x)]!) ?? "?").join(""),
  );
}

function maskOf(rows: string[]): Runs {
  const pixels = rows.flatMap((row) => [...row].map((one) => (one === "x" ? 1 : 0)));
  return encodeRuns(pixels, [rows.length, rows[0]!.length]);
}

test("the inside is half-transparent, the edge solid, also round a hole and along the picture's border", () => {
  const mask = ["xxxx....", "xxxxxxx.", "xxxxxxx.", "xxx.xxx.", "xxxxxxx.", "xxxxxxx."];
  expect(painted(mask, { width: 8, height: 6 })).toEqual([
    "####....",
    "#ooo###.",
    "#oo#oo#.",
    "#o#.#o#.",
    "#oo#oo#.",
    "#######.",
  ]);
  expect(painted([".....", ".xxx.", "....."], { width: 5, height: 3, line: 2 })).toEqual([".....", ".###.", "....."]);
});

test("a mask is as large as the picture that shows its image, enlarged or made smaller", () => {
  const mask = ["xxx...", "xxx...", "......", "......"];
  expect(painted(mask, { width: 12, height: 8 })).toEqual([
    "######......",
    ...new Array<string>(2).fill("#oooo#......"),
    "######......",
    ...new Array<string>(4).fill("............"),
  ]);
  expect(painted(mask, { width: 3, height: 4 })).toEqual(["#..", "#..", "...", "..."]);
  expect(painted(mask, { width: 2, height: 1 })).toEqual([".."]); // its only row shows the third of the mask
});

test("all and nothing, in parts that lie apart", () => {
  const rows = (one: string) => new Array<string>(4).fill(one.repeat(5));
  expect(painted(rows("."), { width: 5, height: 4 })).toEqual(rows("."));
  expect(painted(rows("x"), { width: 5, height: 4 })).toEqual(["#####", "#ooo#", "#ooo#", "#####"]);
  expect(painted(["x...x", ".....", "xx..."], { width: 5, height: 3 })).toEqual(["#...#", ".....", "##..."]);
});

test("masks are drawn under boxes, in the colour of their class", async () => {
  const mask = encodeRuns(new Uint8Array(500 * 600).fill(1, 0, 300 * 600), [500, 600]);
  const drawn = await drawObjects(grey(600, 500), [
    { box: [100, 100, 200, 200], label: 1, text: "", mask },
    { box: [110, 110, 220, 220], label: 2, text: "" },
  ]);
  const bare = await drawObjects(grey(600, 500), [
    { box: [100, 100, 200, 200], label: 1, text: "" },
    { box: [110, 110, 220, 220], label: 2, text: "" },
  ]);
  const at = (picture: { data: Uint8Array }, x: number, y: number) => [
    ...picture.data.subarray(3 * (y * 600 + x), 3 * (y * 600 + x) + 3),
  ];
  for (const [x, y] of [[100, 150], [110, 150], [150, 199], [300, 400]] as const) // biome-ignore format: one line
    expect(at(drawn, x, y)).toEqual(at(bare, x, y));
  expect(at(bare, 300, 150)).toEqual([90, 90, 90]);
  expect(at(drawn, 300, 150)).not.toEqual([90, 90, 90]);
});

test("a hundred large masks take a moment", () => {
  const [height, width] = [1200, 1600];
  const disc = Uint8Array.from({ length: height * width }, (_, i) =>
    Math.hypot((i % width) - 800, Math.floor(i / width) - 600) < 300 ? 1 : 0,
  );
  const mask = encodeRuns(disc, [height, width]);
  const picture = grey(width, height);
  const began = performance.now();
  for (let i = 0; i < 100; i++) paintMask(picture, mask, { colour: COLOUR, line: 4 });
  expect(performance.now() - began).toBeLessThan(4000);
});
