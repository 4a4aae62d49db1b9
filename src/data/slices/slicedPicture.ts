// A picture that is looked at in parts, however large it is: no more of it than a band is in memory where it is a very large one.

import { type PartArea, wholeArea } from "../../instance/slices/layout.ts";
import { decodeBytes, headerOf, MAX_PIXELS, type Rgb } from "../image/decode.ts";
import { cutOut } from "./cutOut.ts";

export type SlicedPicture = {
  /** Of the picture, in pixels. */
  size: readonly [height: number, width: number];
  /** All of it; a picture of more than MAX_PIXELS smaller than it is. */
  image: Rgb;
  /** The pixels of a part. Parts of a very large picture are best taken row by row. */
  part(area: PartArea): Promise<Rgb>;
};

/** Pixels of a very large picture that are in memory at once. */
const BAND_PIXELS = 2 ** 26;

/** Pixels that are in memory already. */
export function slicedImage(image: Rgb): SlicedPicture {
  return { size: [image.height, image.width], image, part: async (area) => cutOut(image, area) };
}

/** The picture in the bytes of an image file; `path` is for messages. Throws a UserError as `decodeBytes`. */
export async function slicedFile(bytes: Uint8Array, path: string): Promise<SlicedPicture> {
  const { width, height } = await headerOf(bytes, path);
  if (width * height <= MAX_PIXELS) return slicedImage(await decodeBytes(bytes, path));
  const picture = [height, width] as const;
  let band: { image: Rgb; top: number } | undefined;
  return {
    size: picture,
    image: await decodeBytes(bytes, path, { area: wholeArea(picture) }),
    part: async (area) => {
      if (!band || area.top < band.top || area.top + area.height > band.top + band.image.height) {
        band = undefined; // before the next one takes as much memory
        const rows = Math.max(area.height, Math.floor(BAND_PIXELS / width));
        const wanted = { left: 0, top: area.top, width, height: Math.min(rows, height - area.top), picture };
        band = { image: await decodeBytes(bytes, path, { area: wanted }), top: area.top };
      }
      return cutOut(band.image, { ...area, top: area.top - band.top });
    },
  };
}
