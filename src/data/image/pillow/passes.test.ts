import { describe, expect, test } from "vitest";
import { rngFromSeed } from "../../../util/random/rng.ts";
import { decodeFile, type Rgb } from "../decode.ts";
import { imageAddon, releaseBytes } from "./addon.ts";
import { type Kernel, triangle } from "./kernel.ts";
import { resizeInPasses } from "./passes.ts";

const IMAGES = new URL("../../../../tests/fixtures/images/", import.meta.url).pathname;

function noise(width: number, height: number): Rgb {
  const rng = rngFromSeed(7, width, height);
  return { data: Uint8Array.from({ length: 3 * width * height }, () => rng.int(256)), width, height };
}

const whole = (from: number, to: number) => triangle(from, to, { start: 0, count: to });

const native = imageAddon();

function natively(image: Rgb, xs: Kernel, ys: Kernel): Uint8Array {
  const [width, height] = [xs.rows.length / xs.step, ys.rows.length / ys.step];
  const out = new Uint8Array(3 * width * height);
  expect(native!.resize(image.data, 3 * image.width, xs.rows, xs.step, ys.rows, ys.step, out, 3 * width)).toBe(true);
  return out;
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** Shrinking and enlarging, sides of one pixel, whole and broken tiles of 16 rows and blocks of 64 bytes, extreme ratios. */
const SIZES: [from: [width: number, height: number], to: [width: number, height: number]][] = [
  [[1, 1], [1, 1]],
  [[1, 1], [37, 53]],
  [[1, 90], [48, 48]],
  [[90, 1], [48, 48]],
  [[640, 480], [384, 384]],
  [[640, 480], [800, 600]],
  [[33, 47], [32, 64]],
  [[16, 16], [16, 17]],
  [[15, 31], [22, 21]],
  [[64, 32], [64, 32]],
  [[9000, 2], [24, 30]],
  [[3, 7000], [30, 24]],
  [[257, 129], [1, 1]],
  [[500, 333], [499, 332]],
]; // biome-ignore format: one line each

describe.skipIf(!native)("our addon", () => {
  test.each(SIZES)("makes of %j pixels resized to %j the bytes that JavaScript makes", ([w, h], [width, height]) => {
    const image = noise(w, h);
    const [xs, ys] = [whole(w, width), whole(h, height)];
    expect(same(natively(image, xs, ys), resizeInPasses(image, xs, ys))).toBe(true);
  });

  test("does so for sizes and parts drawn at random", () => {
    const rng = rngFromSeed(11);
    for (let i = 0; i < 150; i++) {
      const image = noise(1 + rng.int(rng.int(3) === 0 ? 400 : 90), 1 + rng.int(90));
      const [xs, ys] = [image.width, image.height].map((from) => {
        const to = 1 + rng.int(120);
        const start = rng.int(to);
        return triangle(from, to, { start, count: 1 + rng.int(to - start) });
      }) as [Kernel, Kernel];
      expect(
        same(natively(image, xs, ys), resizeInPasses(image, xs, ys)),
        `${i}: ${image.width} x ${image.height}`,
      ).toBe(true);
    }
  });

  test.each(["photo.jpg", "grey.png", "alpha.png", "palette.png", "cmyk.jpg"])("does so for %s", async (name) => {
    const image = await decodeFile(IMAGES + name);
    const [xs, ys] = [whole(image.width, 50), whole(image.height, 70)];
    expect(same(natively(image, xs, ys), resizeInPasses(image, xs, ys))).toBe(true);
  });

  test("writes the entries of tables into rows of any length, mirrored where that is asked for", () => {
    const image = noise(70, 41);
    const [xs, ys] = [whole(70, 33), whole(41, 20)];
    const bytes = resizeInPasses(image, xs, ys);
    const table = Float32Array.from({ length: 768 }, (_, i) => i / 7);
    for (const mirror of [0, 1]) {
      const out = new Float32Array(20 * 110).fill(-1);
      native!.resize(image.data, 210, xs.rows, xs.step, ys.rows, ys.step, out, 110, table, mirror);
      const expected = new Float32Array(20 * 110).fill(-1);
      for (let y = 0; y < 20; y++)
        for (let x = 0; x < 33; x++)
          for (let c = 0; c < 3; c++)
            expected[110 * y + 3 * x + c] = table[256 * c + bytes[3 * (33 * y + (mirror ? 32 - x : x)) + c]!]!;
      expect(out).toEqual(expected);
    }
  });

  test("leaves to JavaScript what would take very much memory", () => {
    const image = { data: new Uint8Array(3 * 3_000_000), width: 3_000_000, height: 1 };
    const [xs, ys] = [whole(3_000_000, 2_999_999), whole(1, 1)];
    const [out, outStep] = [new Uint8Array(8_999_997), 8_999_997];
    expect(native!.resize(image.data, 9_000_000, xs.rows, xs.step, ys.rows, ys.step, out, outStep)).toBe(false);
  });

  test("refuses memory that does not fit together", () => {
    const { data } = noise(70, 41);
    const [xs, ys] = [whole(70, 33), whole(41, 20)];
    const out = new Uint8Array(20 * 99);
    const resize = ({ from = data, stride = 210, columns = xs.rows, step = xs.step, rows = ys.rows, to = out, outStride = 99 }) =>
      native!.resize(from, stride, columns, step, rows, ys.step, to, outStride); // biome-ignore format: one line
    expect(resize({})).toBe(true);
    const late = xs.rows.slice();
    late[0] = 60; // behind the second one
    const changes = [
      { from: data.subarray(1) },
      { to: out.subarray(1) },
      { to: new Float32Array(out.length) as unknown as typeof out },
      ...[{ stride: 209 }, { stride: -210 }, { outStride: 98 }, { step: 0 }, { step: 2 }, { step: xs.step + 1 }],
      ...[{ columns: late }, { rows: new Int32Array(0) }, { rows: ys.rows.map((v) => -v) }],
      { rows: whole(42, 20).rows },
    ];
    for (const change of changes) expect([change, resize(change)]).toEqual([change, false]);
  });
});

test("a part of a resized picture has the bytes that it has in the whole one", () => {
  const image = noise(61, 43);
  const all = resizeInPasses(image, whole(61, 97), whole(43, 30));
  const part = resizeInPasses(
    image,
    triangle(61, 97, { start: 13, count: 40 }),
    triangle(43, 30, { start: 8, count: 9 }),
  );
  for (let y = 0; y < 9; y++)
    expect(part.subarray(120 * y, 120 * (y + 1))).toEqual(
      all.subarray(3 * (97 * (8 + y) + 13), 3 * (97 * (8 + y) + 53)),
    );
});

test.skipIf(!native)(
  "memory is given back at once where it is all of a buffer, that of a decoded file, too",
  async () => {
    const own = new Uint8Array(100);
    releaseBytes(own.subarray(10, 20));
    expect(own.length).toBe(100);
    releaseBytes(own);
    expect(own.length).toBe(0);
    releaseBytes(own);
    const { data, width, height } = await decodeFile(`${IMAGES}photo.jpg`);
    expect(data.length).toBe(3 * width * height);
    releaseBytes(data);
    expect(data.length).toBe(0);
  },
);
