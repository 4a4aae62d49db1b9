// first-batch.json and last-batch.json: what a run trained on first, and lately, as pictures.

import { readJsonObject } from "../json.ts";

/** `image`: the file's name in the annotations; `jpeg`: its bytes in base64. */
export type BatchImage = { image: string; objects: number; width: number; height: number; jpeg: string };

/** Images after all random changes, in the order of the batch; `of` is how many it had. */
export type SeenBatch = { format: 1; epoch: number; step: number; of: number; images: BatchImage[] };

/** A record of a run's folder; null where there is none. Pictures that are none are left out. */
export async function readSeenBatch(path: string): Promise<SeenBatch | null> {
  const record = await readJsonObject<SeenBatch>(path);
  if (record?.format !== 1 || !Array.isArray(record.images)) return null;
  const { epoch, step, of } = record;
  if (![epoch, step, of].every(Number.isSafeInteger)) return null;
  const images = record.images.filter(isBatchImage).slice(0, MOST_IMAGES);
  return images.length > 0 ? { format: 1, epoch, step, of, images } : null;
}

/** Images that are kept of a batch. */
export const MOST_IMAGES = 8;
const MOST_TEXT = 400_000;

function isBatchImage(one: unknown): one is BatchImage {
  const { image, objects, width, height, jpeg } = (one ?? {}) as Partial<BatchImage>;
  return (
    typeof image === "string" &&
    [objects, width, height].every(Number.isSafeInteger) &&
    typeof jpeg === "string" &&
    jpeg.length <= MOST_TEXT &&
    /^\/9j\/[A-Za-z0-9+/]+={0,2}$/.test(jpeg)
  );
}
