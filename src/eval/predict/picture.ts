// A picture in any of the forms that programs have it in, as RGB pixels: a path, an address, encoded bytes, raw pixels.

import { decodeBytes, MAX_PIXELS, type Rgb, readImageFile } from "../../data/image/decode.ts";
import { isStream } from "../../data/image/imagePaths.ts";
import { type SlicedPicture, slicedFile, slicedImage } from "../../data/slices/slicedPicture.ts";
import { UserError } from "../../util/errors.ts";
import { fetchBytes } from "../../util/untrusted/fetchBytes.ts";

/** Raw pixels row by row from the top, a byte a channel: red, green, blue and, where there are four bytes a pixel, opacity, which is ignored. */
export type RawPicture = { data: Uint8Array | Uint8ClampedArray; width: number; height: number };

/** The path of an image file, its address over http or https, its bytes (JPEG, PNG, WebP, TIFF, GIF, AVIF, BMP), or raw pixels. */
export type Picture = string | Uint8Array | ArrayBuffer | RawPicture;

/** Bytes of an encoded image that come over a network or a pipe. */
const MOST_BYTES = 200 << 20;

type Loading = { name: string; signal?: AbortSignal | undefined };

/** Its pixels. `name`: what a picture without a path is called in a message. Throws a UserError where it cannot be read. */
export async function loadPicture(picture: Picture, options: Loading): Promise<Rgb> {
  const { bytes, name } = await encoded(picture, options);
  return bytes ? decodeBytes(bytes, name) : fromRaw(picture as RawPicture, name);
}

/** The same, to be looked at in parts: it may be much larger then. */
export async function openPicture(picture: Picture, options: Loading): Promise<SlicedPicture> {
  const { bytes, name } = await encoded(picture, options);
  return bytes ? slicedFile(bytes, name) : slicedImage(fromRaw(picture as RawPicture, name));
}

/** The bytes of its file, unless it is raw. */
async function encoded(picture: Picture, { name, signal }: Loading): Promise<{ bytes?: Uint8Array; name: string }> {
  if (typeof picture === "string") {
    const isFile = picture === "-" || !isStream(picture);
    return { bytes: isFile ? await readImageFile(picture) : await fetchBytes(picture, { most: MOST_BYTES, signal }), name: picture }; // biome-ignore format: one line
  }
  if (picture instanceof Uint8Array) return { bytes: picture, name };
  return picture instanceof ArrayBuffer ? { bytes: new Uint8Array(picture), name } : { name };
}

/**
 * The bytes of the picture that comes from a pipe, which is called `INPUT` in messages. Throws a UserError where there are none, or too
 * many, and the reason of `signal` where it is raised before the end.
 */
export async function loadStream(
  stream: AsyncIterable<Uint8Array | string>,
  { signal }: { signal: AbortSignal },
): Promise<Buffer> {
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  const bytes = await Promise.race([collect(stream), stopped]);
  if (bytes.length > 0) return bytes;
  throw new UserError(`${INPUT} is empty.`, { hint: "Pipe an image file into it: cat photo.jpg | ..." });
}

export const INPUT = "Standard input";

async function collect(stream: AsyncIterable<Uint8Array | string>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of stream) {
    bytes += part.length;
    if (bytes > MOST_BYTES) throw new UserError(`${INPUT} has more than ${MOST_BYTES} bytes: that is no image.`);
    parts.push(typeof part === "string" ? Buffer.from(part) : part);
  }
  return Buffer.concat(parts);
}

function fromRaw(picture: RawPicture, name: string): Rgb {
  const { data, width, height } = (picture ?? {}) as Partial<RawPicture>;
  const isBytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  const isSide = (side: unknown): side is number => typeof side === "number" && Number.isInteger(side) && side >= 1;
  if (!isBytes || !isSide(width) || !isSide(height))
    throw new UserError(`${name} is no picture.`, {
      hint: "Give a path, the bytes of an image file, or { data, width, height } with data in bytes.",
    });
  const pixels = width * height;
  if (pixels > MAX_PIXELS)
    throw new UserError(`${name} has more than ${MAX_PIXELS} pixels.`, { hint: "Cut it first." });
  if (data.length === 3 * pixels)
    return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), width, height };
  if (data.length !== 4 * pixels)
    throw new UserError(
      `${name} has ${data.length} bytes: ${width} x ${height} pixels have ${3 * pixels} in RGB, ${4 * pixels} in RGBA.`,
    );
  const rgb = new Uint8Array(3 * pixels);
  for (let i = 0; i < pixels; i++) rgb.set(data.subarray(4 * i, 4 * i + 3), 3 * i);
  return { data: rgb, width, height };
}
