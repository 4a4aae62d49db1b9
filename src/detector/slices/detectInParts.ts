// What a detector finds in a picture that it looks at in parts and as a whole.

import { resizeAll } from "../../data/image/forPrediction.ts";
import type { SlicedPicture } from "../../data/slices/slicedPicture.ts";
import type { ImageDetections } from "../../instance/detections.ts";
import { partsOf, type Slices, wholeArea } from "../../instance/slices/layout.ts";
import { mergeViews, type View } from "../../instance/slices/merge.ts";
import type { Detector } from "../detector.ts";

/** So much below the threshold a view may see what another one sees surely. */
const LOWER = 4;

/**
 * Objects in pixels of the picture, each once. `batchSize`: parts of a forward pass; `threshold`: what scores much less is not looked at,
 * and what scores less has no mask. Throws a UserError for a picture of too many parts, or one that cannot be read.
 */
export async function detectInParts(
  { detect, resolution }: Pick<Detector, "detect" | "resolution">,
  picture: SlicedPicture,
  { slices, batchSize, threshold }: { slices: Slices; batchSize: number; threshold: number },
): Promise<ImageDetections> {
  const whole = wholeArea(picture.size);
  const areas = [whole, ...partsOf(picture.size, slices)];
  const views: View[] = [];
  for (let from = 0; from < areas.length; from += batchSize) {
    const some = areas.slice(from, from + batchSize);
    const images = [];
    for (const area of some) images.push(area === whole ? picture.image : await picture.part(area));
    const { pixels } = resizeAll(images, resolution);
    const originalSizes = some.map(({ width, height }) => [height, width] as const);
    const found = await detect({ images: pixels, originalSizes, maskFrom: threshold });
    for (const [i, one] of found.entries()) views.push({ area: some[i]!, found: one });
  }
  return mergeViews(views, slices, { least: threshold / LOWER });
}
