// A picture in any of the forms that programs have it in, as RGB pixels: a path, an address, encoded bytes, raw pixels.

import { decodeBytes, decodeFile, MAX_PIXELS, type Rgb } from "../../data/image/decode.ts";
import { isStream } from "../../data/image/imagePaths.ts";
import { UserError } from "../../util/errors.ts";
import { fetchBytes } from "../../util/untrusted/fetchBytes.ts";

/** Raw pixels row by row from the top, a byte a channel: red, green, blue and, where there are four bytes a pixel, opacity, which is ignored. */
export type RawPicture = { data: Uint8Array | Uint8ClampedArray; width: number; height: number };

/** The path of an image file, its address over http or https, its bytes (JPEG, PNG, WebP, TIFF, GIF, AVIF, BMP), or raw pixels. */
export type Picture = string | Uint8Array | ArrayBuffer | RawPicture;

/** Bytes of an encoded image that come over a network or a pipe. */
const MOST_BYTES = 200 << 20;

/** Its pixels. `name`: what a picture without a path is called in a message. Throws a UserError where it cannot be read. */
export async function loadPicture(
  picture: Picture,
  { name, signal }: { name: string; signal?: AbortSignal | undefined },
): Promise<Rgb> {
  if (typeof picture === "string") {
    if (picture === "-" || !isStream(picture)) return decodeFile(picture);
    return decodeBytes(await fetchBytes(picture, { most: MOST_BYTES, signal }), picture);
  }
  if (picture instanceof Uint8Array) return decodeBytes(picture, name);
  if (picture instanceof ArrayBuffer) return decodeBytes(new Uint8Array(picture), name);
  return fromRaw(picture, name);
}

/**
 * What comes from a pipe, as the picture that it encodes. Throws a UserError where it is none, or has too many bytes, and the
 * reason of `signal` where it is raised before the end.
 */
export async function loadStream(
  stream: AsyncIterable<Uint8Array | string>,
  { signal }: { signal: AbortSignal },
): Promise<Rgb> {
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  const bytes = await Promise.race([collect(stream), stopped]);
  if (bytes.length > 0) return decodeBytes(bytes, INPUT);
  throw new UserError(`${INPUT} is empty.`, { hint: "Pipe an image file into it: cat photo.jpg | ..." });
}

const INPUT = "Standard input";

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
