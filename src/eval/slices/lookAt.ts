// What a model finds in the images of an evaluation, batch by batch; or picture by picture where the images are parts of pictures.

import type { ImageDetections } from "../../instance/detections.ts";
import { type Slices, wholeArea } from "../../instance/slices/layout.ts";
import { mergeViews, type View } from "../../instance/slices/merge.ts";
import type { Batch, BrokenImage } from "../../loading/batch/batch.ts";
import { inFlight } from "../../util/threads/inFlight.ts";

/** The images of a batch, as far as an evaluation looks at them. */
export type Evaluated = Pick<Batch, "imageIds" | "broken"> & Partial<Pick<Batch, "originalSizes" | "areas">>;

/** What was found in some images, in pixels of each. */
export type LookedAt = Pick<Batch, "imageIds" | "broken"> & {
  originalSizes?: readonly (readonly [height: number, width: number])[] | undefined;
  found: ImageDetections[];
};

type Detect<Images> = (batch: Images) => ImageDetections[] | Promise<ImageDetections[]>;

/** Each batch as it is, with what was found in it. */
export async function* lookAtBatches<Images extends Evaluated>(
  batches: AsyncIterable<Images>,
  detect: Detect<Images>,
): AsyncGenerator<LookedAt> {
  for await (const { batch, found } of lookAt(batches, detect)) {
    const { imageIds, broken, originalSizes } = batch;
    yield { imageIds, broken, originalSizes, found };
  }
}

/** What is found in each batch, in their order; `detect` is called for the next one while one is under way. */
function lookAt<Images extends Evaluated>(batches: AsyncIterable<Images>, detect: Detect<Images>) {
  return inFlight(batches, async (batch) => ({ batch, found: batch.imageIds.length === 0 ? [] : await detect(batch) }));
}

/**
 * Each picture, once all of its views have been looked at, with what was found in them put together. `batches` are of a split as
 * `sliceForEvaluation` makes it. A picture of which a view cannot be read is broken, with the first reason. `mostOfClass`: objects of a
 * picture that are kept of each class.
 */
export async function* lookAtPictures<Images extends Evaluated>(
  batches: AsyncIterable<Images>,
  detect: Detect<Images>,
  { slices, mostOfClass }: { slices: Slices; mostOfClass: number },
): AsyncGenerator<LookedAt> {
  const broken = new Map<number, BrokenImage>();
  let current: { id: number; views: View[] } | undefined;
  const finish = (): LookedAt[] => {
    if (!current || broken.has(current.id)) return [];
    const { id, views } = current;
    const found = [mergeViews(views, slices, { mostOfClass })];
    return [{ imageIds: [id], broken: [], originalSizes: [views[0]!.area.picture], found }];
  };
  for await (const { batch, found } of lookAt(batches, detect)) {
    const { imageIds, originalSizes = [], areas } = batch;
    const fresh = batch.broken.filter(({ imageId }, i, all) => !broken.has(imageId) && all.findIndex((one) => one.imageId === imageId) === i); // biome-ignore format: one line
    for (const one of fresh) broken.set(one.imageId, one);
    if (fresh.length > 0) yield { imageIds: [], broken: fresh, found: [] };
    for (const [i, one] of found.entries()) {
      const id = imageIds[i]!;
      if (current?.id !== id) {
        yield* finish();
        current = { id, views: [] };
      }
      current.views.push({ area: areas?.[i] ?? wholeArea(originalSizes[i]!), found: one });
    }
  }
  yield* finish();
}
