// Parts of image files: the pixels that the whole has there, in every format.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rngFromSeed } from "../../util/random/rng.ts";
import { decodeFile, headerOf } from "../image/decode.ts";
import { cutOut } from "./cutOut.ts";
import { slicedFile } from "./slicedPicture.ts";

const [WIDTH, HEIGHT] = [97, 61];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parts-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function noise(): Sharp {
  const rng = rngFromSeed(5);
  const data = Uint8Array.from({ length: 3 * WIDTH * HEIGHT }, () => rng.int(256));
  return sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
}

/** An uncompressed bitmap of 24 bits a pixel, its rows from the bottom up. */
function bitmap(data: Uint8Array): Buffer {
  const stride = 4 * Math.ceil((3 * WIDTH) / 4);
  const bytes = Buffer.alloc(54 + stride * HEIGHT);
  bytes.write("BM");
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(WIDTH, 18);
  bytes.writeInt32LE(HEIGHT, 22);
  bytes.writeUInt16LE(24, 28);
  for (let y = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++)
      for (let c = 0; c < 3; c++)
        bytes[54 + stride * (HEIGHT - 1 - y) + 3 * x + c] = data[3 * (y * WIDTH + x) + 2 - c]!;
  return bytes;
}

const FILES: Record<string, () => Promise<Buffer>> = {
  png: () => noise().png().toBuffer(),
  "interlaced png": () => noise().png({ progressive: true }).toBuffer(),
  jpeg: () => noise().jpeg({ quality: 80 }).toBuffer(),
  "progressive jpeg": () => noise().jpeg({ progressive: true }).toBuffer(),
  "cmyk jpeg": () => noise().toColourspace("cmyk").jpeg().toBuffer(),
  tiff: () => noise().tiff({ tile: true, tileWidth: 16, tileHeight: 16 }).toBuffer(),
  webp: () => noise().webp({ lossless: true }).toBuffer(),
  turned: () => noise().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  bmp: async () => bitmap(await noise().raw().toBuffer()),
};

test.each(Object.entries(FILES))("a part of a file is what the whole has there: %s", async (name, make) => {
  const path = join(folder, `${name}.img`);
  await writeFile(path, await make());
  for (const exif of ["as-stored", "apply"] as const) {
    const whole = await decodeFile(path, { exif });
    const picture = [whole.height, whole.width] as const;
    for (const [left, top, width, height] of [
      [0, 0, 32, 32],
      [30, 20, 31, 40],
      [whole.width - 9, whole.height - 7, 9, 7],
    ] as const) {
      // biome-ignore format: one line
      const area = { left, top, width, height, picture };
      const { data, ...size } = await decodeFile(path, { exif, area });
      expect(size).toEqual({ width, height });
      expect(Buffer.compare(data, cutOut(whole, area).data)).toBe(0);
    }
  }
});

test("a picture in parts has its own size, all of it, and each part", async () => {
  const opened = await slicedFile(await noise().png().toBuffer(), "here.png");
  expect(opened.size).toEqual([HEIGHT, WIDTH]);
  const area = { left: 40, top: 8, width: 32, height: 33, picture: opened.size };
  expect(await opened.part(area)).toEqual(cutOut(opened.image, area));
});

test("a picture that has another size than its part was made for is named with both sizes", async () => {
  const path = join(folder, "png.img");
  const area = { left: 0, top: 0, width: 32, height: 32, picture: [HEIGHT, 200] as const };
  await expect(decodeFile(path, { area })).rejects.toThrow(/png\.img is 97 x 61 pixels, not 200 x 61 as annotated\./);
  expect(await headerOf(await noise().png().toBuffer(), "here")).toMatchObject({ width: WIDTH, height: HEIGHT });
});
