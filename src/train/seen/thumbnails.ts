// thumbnails.json of a run: small copies of the validation pictures that its page shows, made once.

import type { Sample } from "../../data/dataset/sample.ts";
import { decodeFile, MAX_PIXELS, type Reading } from "../../data/image/decode.ts";
import { encodeWithin } from "../../data/image/draw.ts";
import { runFiles } from "../../run/files.ts";
import { MOST_BROWSED, readThumbnails, type Thumbnails } from "../../run/records/browser.ts";
import { UserError } from "../../util/errors.ts";
import { writeFileAtomic } from "../../util/files.ts";

/** Bytes of all pictures together, and of one. */
const MOST_BYTES = 900_000;
const MOST_OF_ONE = 12_000;
/** Objects of all pictures together. */
const MOST_OBJECTS = 12_000;
/** Tried one after the other until a picture is small enough. */
const SIZES = [
  { side: 320, quality: 70 },
  { side: 240, quality: 60 },
  { side: 200, quality: 45 },
  { side: 160, quality: 35 },
  { side: 120, quality: 30 },
  { side: 96, quality: 20 },
] as const;

/** The thumbnails of a run's validation images: those that are there, or new ones. */
export async function thumbnailsOf(
  dir: string,
  { samples, reading }: { samples: readonly Sample[]; reading: Reading },
): Promise<Thumbnails["pictures"]> {
  const chosen = evenly(samples);
  const known = await readThumbnails(dir);
  const files = new Map(chosen.map(({ imageId, file }) => [imageId, file]));
  if (known?.pictures.length && known.pictures.every(({ imageId, image }) => files.get(imageId) === image))
    return known.pictures;
  const pictures: Thumbnails["pictures"] = [];
  const most = Math.min(MOST_OF_ONE, MOST_BYTES / Math.max(1, chosen.length));
  for (const sample of chosen) {
    const small = await thumbnail(sample, { reading, most });
    if (small) pictures.push({ imageId: sample.imageId, image: sample.file, ...small });
  }
  await writeFileAtomic(runFiles(dir).thumbnails, `${JSON.stringify({ format: 1, pictures } satisfies Thumbnails)}\n`);
  return pictures;
}

/** Some of very many, as far apart as they can be. */
function evenly(samples: readonly Sample[]): Sample[] {
  for (let n = Math.min(MOST_BROWSED, samples.length); n > 0; n = Math.floor(0.8 * n)) {
    const some = Array.from({ length: n }, (_, i) => samples[Math.floor((i * samples.length) / n)]!);
    if (some.reduce((sum, { annotations }) => sum + annotations.length, 0) <= MOST_OBJECTS) return some;
  }
  return [];
}

/**
 * A small copy of at most `most` bytes, with the size of its file's picture; `first`: sizes to be tried before smaller ones. Undefined for a
 * picture that cannot be read, is too large, or does not become small enough.
 */
export async function thumbnail(
  { path, area, width, height }: Sample,
  {
    reading,
    most,
    first = [],
  }: { reading: Reading; most: number; first?: readonly { side: number; quality: number }[] },
): Promise<{ width: number; height: number; jpeg: string } | undefined> {
  if ((width ?? 0) * (height ?? 0) > MAX_PIXELS) return undefined;
  try {
    const image = await decodeFile(path, { ...reading, area });
    const jpeg = await encodeWithin(image, { most, sizes: [...first, ...SIZES] });
    if (jpeg !== undefined) return { width: image.width, height: image.height, jpeg };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  return undefined;
}
