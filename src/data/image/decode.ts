// Image files to RGB bytes by sharp, as Pillow's `convert("RGB")` gives them: no colour profile, alpha dropped, and no EXIF rotation unless
// that is asked for.

import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import sharp, { type Metadata, type Sharp } from "sharp";
import type { PartArea } from "../../instance/slices/layout.ts";
import { UserError } from "../../util/errors.ts";
import { readRegular, refuseEscape } from "../../util/untrusted/regular.ts";
import { bmpSize, decodeBmp, isBmp } from "./bmp.ts";
import { releaseBytes } from "./pillow/addon.ts";

// Images are decoded side by side, so one thread each is enough; files are read once, so nothing is worth caching.
sharp.concurrency(1);
sharp.cache(false);

/** Whether pictures are taken as their pixels are stored, as the reference does, or turned as their EXIF orientation says. */
export type Exif = "as-stored" | "apply";

/** How files are read: the folder that no link may lead out of, and what EXIF orientation does. */
export type Reading = { within?: string | undefined; exif?: Exif | undefined };

/** RGB bytes `[height, width, 3]`. */
export type Rgb = { data: Uint8Array; width: number; height: number };

/** Extensions taken for images in a folder. */
export const IMAGE_EXTENSIONS = new Set([".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".avif", ".bmp"]);

const FORMATS = new Set(["jpeg", "png", "webp", "tiff", "gif", "heif"]);

/** More pixels than this are refused before anything is allocated; Pillow's own limit. */
export const MAX_PIXELS = 178_956_970;

/** Of pictures that are read part by part. */
const MAX_PIXELS_IN_PARTS = 2 ** 30;

/** Formats of which a part can be read without all of the picture in memory. */
const READ_IN_PARTS = new Set(["jpeg", "png", "tiff"]);

/** Longer side of what is made of a part that has more pixels than a picture may have. */
const REDUCED_SIDE = 4096;

/** Bytes of an image file: more than the pixels that are read have without any compression. */
const MAX_BYTES = 600 << 20;

/**
 * The bytes of an image file. With `within`, a link that leads out of that folder is refused; one that stays there is followed,
 * and so is what a file system or a git without links makes of it: a small text file with the path.
 * Throws a UserError where it is missing, no regular file or too large.
 */
export async function readImageFile(path: string, { within }: Pick<Reading, "within"> = {}): Promise<Buffer> {
  if (within !== undefined) await refuseEscape(path, within);
  const bytes = await readRegular(path, { most: MAX_BYTES });
  const target = within === undefined ? undefined : linkedPath(bytes);
  const place = target !== undefined && resolve(dirname(path), target);
  if (within === undefined || place === false || !existsSync(place)) return bytes;
  await refuseEscape(place, within);
  return readRegular(place, { most: MAX_BYTES });
}

/** The relative path that a file holds and nothing else. */
function linkedPath(bytes: Uint8Array): string | undefined {
  const text = bytes.length < 1024 ? Buffer.from(bytes).toString("utf8").trim() : "";
  return /^[^\p{Cc}]*\/[^\p{Cc}]+\.\w+$/u.test(text) ? text : undefined;
}

/** `area`: the part of the picture that is wanted; one of more than MAX_PIXELS comes smaller, its longer side 4096 pixels. */
type Wanted = { area?: PartArea | undefined };

/**
 * Decode an image file. With `within`, a file that a symbolic link leads out of that folder is refused.
 * Throws UserError naming the file where it is missing, truncated, no image, larger than MAX_PIXELS (in parts 2 ** 30), or not of
 * the size that `area` is of.
 */
export async function decodeFile(path: string, { within, ...options }: Reading & Wanted = {}): Promise<Rgb> {
  const bytes = await readImageFile(path, { within });
  const picture = await decodeBytes(bytes, path, options);
  releaseBytes(bytes);
  return picture;
}

/** Decode the bytes of an image file; `path` is for messages. Throws as `decodeFile`. */
export async function decodeBytes(
  bytes: Uint8Array,
  path: string,
  { exif, area }: Pick<Reading, "exif"> & Wanted = {},
): Promise<Rgb> {
  if (area) requireSize(area, await headerOf(bytes, path, { exif }), path);
  try {
    if (isBmp(bytes)) return decodeBmp(bytes, { most: MAX_PIXELS, area });
    const opened = open(bytes, area && MAX_PIXELS_IN_PARTS);
    const { format, space, ...about } = await opened.metadata();
    if (!FORMATS.has(format)) throw new Error(`its format is ${format}`);
    const turned = exif === "apply" ? opened.autoOrient() : opened;
    if (area) refuseWhole({ format, ...about }, { turns: exif === "apply" });
    const image = area ? partOf(turned, area) : turned;
    if (space === "cmyk") {
      const { data, info } = await image.pipelineColourspace("cmyk").toColourspace("cmyk").raw().toBuffer(RESOLVE);
      return { data: cmykToRgb(data, info.channels), width: info.width, height: info.height };
    }
    const { data, info } = await image.removeAlpha().toColourspace("srgb").raw().toBuffer(RESOLVE);
    if (info.channels !== 3) throw new Error(`it has ${info.channels} colour channels`);
    return { data, width: info.width, height: info.height };
  } catch (cause) {
    throw imageError(path, bytes, cause);
  }
}

/** Throws a UserError where a picture is not of the size that a part of it was made for. */
function requireSize({ picture: [height, width] }: PartArea, file: ImageHeader, path: string): void {
  if (file.width === width && file.height === height) return;
  throw new UserError(`${path} is ${file.width} x ${file.height} pixels, not ${width} x ${height} as annotated.`, {
    hint: "Correct the size in the annotations: parts are cut by it (data.slices).",
  });
}

/** Throws an Error for a very large picture that has to be in memory as a whole even if a part of it is wanted. */
function refuseWhole(
  { format, width, height, orientation = 1, isProgressive }: Omit<Metadata, "space">,
  { turns }: { turns: boolean },
): void {
  if (width * height <= MAX_PIXELS) return;
  const kept = isProgressive ? "progressive" : turns && orientation > 1 ? "turned by EXIF" : undefined;
  if (kept || !READ_IN_PARTS.has(format))
    throw new Error(`it exceeds the pixel limit of a picture that is ${kept ?? `of the format ${format}`}`);
}

function partOf(image: Sharp, { left, top, width, height, picture }: PartArea): Sharp {
  const isWhole = height === picture[0] && width === picture[1]; // which needs no cut, so that a JPEG can be read smaller
  const part = isWhole ? image : image.extract({ left, top, width, height });
  if (width * height <= MAX_PIXELS) return part;
  const scale = REDUCED_SIDE / Math.max(width, height);
  const [w, h] = [width, height].map((side) => Math.max(1, Math.round(scale * side))) as [number, number];
  return part.resize(w, h, { fit: "fill", kernel: "linear" });
}

/** What an image's header says. */
export type ImageHeader = {
  /** Of the pixels that `decodeFile` gives with the same `exif`. */
  width: number;
  height: number;
  /** Whether its EXIF orientation turns or mirrors it, and whether that swaps width and height. */
  oriented: boolean;
  swapped: boolean;
  /** Bits of a channel that are lost, as 8 are kept. */
  deep: boolean;
  /** Pictures in the file beside the first one, the only one that is read. */
  more: number;
};

/** What the header of an image file says. Throws as `decodeFile`. */
export async function imageHeader(path: string, { within, exif }: Reading = {}): Promise<ImageHeader> {
  return headerOf(await readImageFile(path, { within }), path, { exif });
}

/** What the header in the bytes of an image file says; `path` is for messages. Throws as `decodeFile`. */
export async function headerOf(
  bytes: Uint8Array,
  path: string,
  { exif }: Pick<Reading, "exif"> = {},
): Promise<ImageHeader> {
  try {
    if (isBmp(bytes)) return { ...bmpSize(bytes), oriented: false, swapped: false, deep: false, more: 0 };
    const { width, height, orientation = 1, depth, pages = 1 } = await open(bytes, MAX_PIXELS_IN_PARTS).metadata();
    const swapped = orientation >= 5;
    const turned = swapped && exif === "apply";
    return {
      ...{ width: turned ? height : width, height: turned ? width : height },
      ...{ oriented: orientation > 1, swapped, deep: depth !== "uchar", more: pages - 1 },
    };
  } catch (cause) {
    throw imageError(path, bytes, cause);
  }
}

const RESOLVE = { resolveWithObject: true } as const;

function open(bytes: Uint8Array, limitInputPixels = MAX_PIXELS) {
  return sharp(bytes, { failOn: "truncated", ignoreIcc: true, limitInputPixels, sequentialRead: true });
}

/** Pillow's plain formula; a colour profile is not consulted there either. */
function cmykToRgb(data: Uint8Array, channels: number): Uint8Array {
  const n = data.length / channels;
  const out = new Uint8Array(3 * n);
  for (let i = 0; i < n; i++) {
    const light = 255 - data[channels * i + 3]!;
    for (let c = 0; c < 3; c++) {
      const product = data[channels * i + c]! * light + 128;
      out[3 * i + c] = light - (((product >> 8) + product) >> 8);
    }
  }
  return out;
}

function imageError(path: string, bytes: Uint8Array, cause: unknown): UserError {
  const reason = (cause as Error).message
    .split("\n")[0]!
    .replace(/^Input (buffer|file) /, "it ")
    .replace(/[:\s]+$/, "");
  if (bytes.length === 0)
    return new UserError(`${path} is empty.`, { hint: "Copy or download the image again.", cause });
  const whole = /pixel limit of a picture that (is .*)$/.exec(reason)?.[1];
  if (whole)
    return new UserError(
      `${path} has more than ${MAX_PIXELS} pixels and ${whole}: a part of it cannot be read alone.`,
      {
        hint: "Save it as a JPEG that is not progressive, as a PNG that is not interlaced, or best as a TIFF of tiles.",
        cause,
      },
    );
  if (/pixel limit/.test(reason))
    return new UserError(`${path} has more than ${MAX_PIXELS} pixels.`, {
      hint: "Cut it into tiles first, or have it read in parts: data.slices in a recipe, --slices of a command.",
      cause,
    });
  const text = linkedPath(bytes);
  if (text !== undefined)
    return new UserError(`${path} is no image: it is a text file that holds the path ${text}.`, {
      hint: "A link was copied as text. Copy the data set again with a program that keeps links, or with what they lead to.",
      cause,
    });
  // "Unknown error": libvips keeps its messages for all threads together, and another one has taken this image's
  if (/premature|truncated|corrupt|read error|end of|unknown error/i.test(reason))
    return new UserError(`${path} is truncated or damaged: ${reason}.`, {
      hint: "Copy or download the image again, or take it out of the annotations.",
      cause,
    });
  return new UserError(`${path} cannot be read as an image: ${reason}.`, {
    hint: "JPEG, PNG, WebP, TIFF, GIF, AVIF and BMP (not compressed) are read. Convert it, or take it out of the annotations.",
    cause,
  });
}
