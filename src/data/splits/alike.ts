// Pictures that are the same, byte for byte, and pictures that nearly are, found without reading more of them than is needed.

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import sharp from "sharp";
import { HASH_SIZE, type PictureHash, pictureHash } from "../../split/nearHashes.ts";
import { sha256File } from "../../util/files.ts";
import { inOrder } from "../../util/threads/inOrder.ts";
import { openRegular } from "../../util/untrusted/regular.ts";
import type { Sample } from "../dataset/sample.ts";
import { isBmp } from "../image/bmp.ts";
import { decodeFile, MAX_PIXELS, type Reading, readImageFile } from "../image/decode.ts";

/** Files that are read at a time. */
const AT_ONCE = 32;
const END_BYTES = 4096;

/**
 * Samples of the same bytes, as sets of two or more places in the list. Files are hashed only where others have their size and
 * the same first and last 4 KB. Files that cannot be read are no one's twin.
 */
export async function contentTwins(samples: readonly Pick<Sample, "path">[]): Promise<number[][]> {
  let sets: number[][] = [samples.map((_, i) => i)];
  for (const look of [sizeOf, endsHash, sha256File]) {
    const next: number[][] = [];
    for (const set of sets) next.push(...(await parted(set, (i) => look(samples[i]!.path))));
    sets = next;
  }
  return sets;
}

/** The parts of a set that have the same key and are more than one. */
async function parted(set: readonly number[], keyOf: (i: number) => Promise<unknown>): Promise<number[][]> {
  const parts = new Map<unknown, number[]>();
  const keys = await inOrder(set, AT_ONCE, (i) => keyOf(i).catch(() => undefined));
  for (const [place, key] of keys.entries()) {
    if (key === undefined) continue;
    if (!parts.has(key)) parts.set(key, []);
    parts.get(key)!.push(set[place]!);
  }
  return [...parts.values()].filter(({ length }) => length > 1);
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size;
}

async function endsHash(path: string): Promise<string> {
  return createHash("sha256")
    .update(await endsOf(path))
    .digest("hex");
}

/** The first and the last 4 KB of a file. Throws a UserError where it cannot be read. */
export async function endsOf(path: string): Promise<Buffer> {
  const file = await openRegular(path);
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(2 * END_BYTES);
    const first = (await file.read(bytes, 0, END_BYTES, 0)).bytesRead;
    const last = (await file.read(bytes, first, END_BYTES, Math.max(first, size - END_BYTES))).bytesRead;
    return bytes.subarray(0, first + last);
  } finally {
    await file.close();
  }
}

/** Hashes by file, size and time of change: a data set is read several times in a process. */
const known = new Map<string, PictureHash | null>();

/** The hash of each picture; null for those that show nothing or cannot be read, which is left to who trains on them. */
export async function pictureHashes(
  samples: readonly Pick<Sample, "path">[],
  reading: Reading,
): Promise<(PictureHash | null)[]> {
  return inOrder(samples, AT_ONCE, async ({ path }) => {
    const facts = await stat(path).catch(() => null);
    if (!facts) return null;
    const key = `${facts.size} ${facts.mtimeMs} ${path}`;
    if (!known.has(key)) known.set(key, await hashOf(path, reading).catch(() => null));
    return known.get(key)!;
  });
}

async function hashOf(path: string, reading: Reading): Promise<PictureHash | null> {
  const bytes = await readImageFile(path, reading);
  const options = { ignoreIcc: true, limitInputPixels: MAX_PIXELS, sequentialRead: true };
  const image = isBmp(bytes) ? await rawBmp(path, reading) : sharp(bytes, options);
  const small = image
    .removeAlpha()
    .resize({ ...HASH_SIZE, fit: "fill" })
    .greyscale()
    .raw();
  return pictureHash(await small.toBuffer());
}

async function rawBmp(path: string, reading: Reading) {
  const { data, width, height } = await decodeFile(path, reading);
  return sharp(data, { raw: { width, height, channels: 3 } });
}
