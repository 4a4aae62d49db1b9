import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { decodeBmp } from "./bmp.ts";
import { decodeFile, imageHeader } from "./decode.ts";

const FOLDER = join(import.meta.dirname, "../../../tests/fixtures/bmp");
/** RGB bytes that Pillow reads; made by scripts/fixtures/make-bmp-fixtures.py. */
const PILLOW = JSON.parse(readFileSync(join(FOLDER, "pillow.json"), "utf8")) as Record<string, string>;
const bytesOf = (name: string) => readFileSync(join(FOLDER, `${name}.bmp`));

test.each(Object.keys(PILLOW))("a bitmap is read as Pillow reads it: %s", async (name) => {
  const path = join(FOLDER, `${name}.bmp`);
  const { data, width, height } = await decodeFile(path);
  expect(Buffer.from(data).toString("base64")).toBe(PILLOW[name]);
  expect(await imageHeader(path)).toMatchObject({ width, height, oriented: false, deep: false });
});

describe("a bitmap that is not one", () => {
  const changed = (name: string, at: number, ...values: number[]) => {
    const bytes = Buffer.from(bytesOf(name));
    bytes.set(values, at);
    return bytes;
  };
  test.each([
    ["is cut off", bytesOf("rgb24").subarray(0, 200), "truncated"],
    ["ends in its header", bytesOf("rgb24").subarray(0, 30), "truncated"],
    ["claims a width beyond all bounds", changed("rgb24", 18, 0xff, 0xff, 0xff, 0x7f), "pixel limit"],
    ["is compressed", changed("p8", 30, 1), "compressed"],
    ["has seven bits a pixel", changed("rgb24", 28, 7), "7 bits a pixel"],
    ["has no height", changed("rgb24", 22, 0, 0, 0, 0), "no size"],
    ["has no colours", changed("b16", 54, 0, 0, 0, 0), "no bits"],
  ])("that %s is an error", (_, bytes, message) => {
    expect(() => decodeBmp(bytes, { most: 1e6 })).toThrow(message);
  });

  test("is named by its file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bmp-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, "cut.bmp");
    await writeFile(path, bytesOf("rgb24").subarray(0, 200));
    await expect(decodeFile(path)).rejects.toThrow(`${path} is truncated or damaged`);
  });
});
