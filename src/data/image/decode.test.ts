import { mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../util/errors.ts";
import { decodeFile, imageHeader } from "./decode.ts";
import { normalise, resizeForPrediction, resizePillow } from "./resize.ts";

const FIXTURES = new URL("../../../tests/fixtures/images/", import.meta.url).pathname;
type Entry = { offset: number; shape: [number, number, number]; type: "uint8" | "float32" };
let manifest: Record<string, Entry>;
let blob: Buffer;
let folder: string;

beforeAll(async () => {
  manifest = JSON.parse(await readFile(join(FIXTURES, "expected.json"), "utf8"));
  blob = await readFile(join(FIXTURES, "expected.bin"));
  folder = await mkdtemp(join(tmpdir(), "decode-"));
});

function expected(name: string): Uint8Array | Float32Array {
  const { offset, shape, type } = manifest[name]!;
  const n = shape[0] * shape[1] * shape[2];
  if (type === "uint8") return blob.subarray(offset, offset + n);
  return new Float32Array(blob.buffer.slice(blob.byteOffset + offset, blob.byteOffset + offset + 4 * n));
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

describe("decoding", () => {
  it.each(["photo.jpg", "cmyk.jpg", "grey.png", "palette.png", "alpha.png", "rotated.jpg"])(
    "gives the bytes that Pillow gives for %s",
    async (name) => {
      const image = await decodeFile(join(FIXTURES, name));
      expect([image.height, image.width, 3]).toEqual(manifest[name]!.shape);
      expect(largestDifference(image.data, expected(name))).toBeLessThanOrEqual(name === "cmyk.jpg" ? 1 : 0);
    },
  );

  it("reads 16-bit images by their high bytes", async () => {
    const pixels = Uint16Array.from({ length: 3 * 4 * 5 }, (_, i) => i * 1000);
    const path = join(folder, "deep.png");
    const raw = { width: 5, height: 4, channels: 3 } as const;
    await sharp(pixels, { raw }).toColourspace("rgb16").png().toFile(path);
    const image = await decodeFile(path);
    expect([...image.data]).toEqual([...pixels].map((v) => v >> 8));
  });

  it("names a file that is missing, truncated, empty, or no image", async () => {
    const photo = await readFile(join(FIXTURES, "photo.jpg"));
    const huge = `<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"/>`;
    const cases: [string, Uint8Array | null, RegExp][] = [
      ["missing.jpg", null, /missing\.jpg: no such file/],
      ["half.jpg", photo.subarray(0, photo.length / 2), /half\.jpg is truncated/],
      ["cut.jpg", photo.subarray(0, photo.length - 2), /cut\.jpg is truncated/],
      ["empty.jpg", new Uint8Array(), /empty\.jpg is empty/],
      ["text.jpg", Buffer.from("not an image"), /text\.jpg cannot be read as an image/],
      ["drawing.svg", Buffer.from(huge), /drawing\.svg cannot be read as an image: its format is svg/],
    ];
    for (const [name, bytes, message] of cases) {
      const path = join(folder, name);
      if (bytes) await writeFile(path, bytes);
      const failed = await decodeFile(path).catch((cause: unknown) => cause);
      expect(failed, name).toBeInstanceOf(UserError);
      expect((failed as UserError).message).toMatch(message);
    }
  });

  it("refuses more pixels than Pillow would", async () => {
    const path = join(folder, "wide.png");
    const bytes = await readFile(join(FIXTURES, "grey.png"));
    bytes.writeUInt32BE(20_000, 16);
    bytes.writeUInt32BE(10_000, 20);
    bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
    await writeFile(path, bytes);
    await expect(decodeFile(path)).rejects.toThrow(/wide\.png has more than 178956970 pixels/);
  });

  it("refuses a link that leads out of the folder, and follows one that stays inside", async () => {
    const inside = join(folder, "inside");
    await mkdir(inside);
    await writeFile(join(inside, "real.jpg"), await readFile(join(FIXTURES, "photo.jpg")));
    await symlink(join(FIXTURES, "photo.jpg"), join(inside, "out.jpg"));
    await symlink("real.jpg", join(inside, "in.jpg"));
    await expect(decodeFile(join(inside, "out.jpg"), { within: inside })).rejects.toThrow(/leads out of its folder/);
    expect((await decodeFile(join(inside, "in.jpg"), { within: inside })).width).toBe(96);
  });

  it("tells the size from the header", async () => {
    expect(await imageHeader(join(FIXTURES, "photo.jpg"))).toMatchObject({ width: 96, height: 72 });
  });
});

describe("resizing", () => {
  it("equals Pillow's bilinear resize to the bit, shrinking and enlarging", async () => {
    const photo = await decodeFile(join(FIXTURES, "photo.jpg"));
    const names = Object.keys(manifest).filter((name) => name.startsWith("pillow "));
    expect(names.length).toBe(5);
    for (const name of names) {
      const [width, height] = name.split(" ").slice(1).map(Number) as [number, number];
      const resized = resizePillow(photo, width, height);
      expect([resized.width, resized.height]).toEqual([width, height]);
      expect(largestDifference(resized.data, expected(name)), name).toBe(0);
    }
  });

  it("equals the reference's resize at prediction time", async () => {
    const photo = await decodeFile(join(FIXTURES, "photo.jpg"));
    for (const [width, height] of [
      [21, 17],
      [50, 30],
    ] as const) {
      const out = resizeForPrediction(photo, width, height);
      expect(largestDifference(out, expected(`predict ${width} ${height}`))).toBeLessThan(1e-5);
    }
    const data = new Uint8Array(12 * 9 * 3);
    for (let y = 0; y < 9; y++) data.set(photo.data.subarray(3 * 96 * y, 3 * 96 * y + 36), 36 * y);
    const out = resizeForPrediction({ data, width: 12, height: 9 }, 31, 20);
    expect(largestDifference(out, expected("predict-corner 31 20"))).toBeLessThan(1e-5);
  });

  it("normalises each channel by its mean and deviation, mirrored on request", () => {
    const image = { data: Uint8Array.from([0, 51, 102, 153, 204, 255]), width: 2, height: 1 };
    const plain = [0, 1, 2, 3, 4, 5].map((i) => {
      const c = i % 3;
      return (image.data[i]! / 255 - [0.485, 0.456, 0.406][c]!) / [0.229, 0.224, 0.225][c]!;
    });
    expect(largestDifference(normalise(image), plain)).toBeLessThan(1e-6);
    expect([...normalise(image, { mirror: true })]).toEqual([
      ...normalise(image).slice(3),
      ...normalise(image).slice(0, 3),
    ]);
  });
});
