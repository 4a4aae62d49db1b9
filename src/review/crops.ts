// The part of a picture around each suspect, small, for a page.

import type { LabelledData, Sample, Split } from "../data/dataset/sample.ts";
import { decodeFile, type Rgb } from "../data/image/decode.ts";
import { encodeWithin } from "../data/image/draw.ts";
import { cutOut } from "../data/slices/cutOut.ts";
import type { CocoBox } from "../instance/boxes.ts";
import type { SuspectCrop, SuspectRecord } from "../report/suspects/suspectsRecord.ts";
import { UserError } from "../util/errors.ts";

/** What is shown beside an object on each side, in parts of its longer side; and pixels that a crop has at least. */
const MARGIN = 0.75;
const LEAST_SIDE = 48;

/** Bytes of all crops of a page together, and of one. */
const MOST_BYTES = 3_200_000;
const MOST_OF_ONE = 12_000;

/** Tried one after the other until a crop is small enough. */
const SIZES = [
  { side: 240, quality: 75 },
  { side: 200, quality: 65 },
  { side: 160, quality: 55 },
  { side: 128, quality: 45 },
  { side: 96, quality: 35 },
  { side: 64, quality: 25 },
] as const;

/** Other labels that a crop shows at most. */
const MOST_NEAR = 60;

/** The crops of suspects, in their order; null where a picture cannot be read. Each picture is read once. */
export async function pageCrops(
  suspects: readonly SuspectRecord[],
  { splits }: Pick<LabelledData, "splits">,
): Promise<(SuspectCrop | null)[]> {
  const crops: (SuspectCrop | null)[] = suspects.map(() => null);
  const most = Math.min(MOST_OF_ONE, MOST_BYTES / Math.max(1, suspects.length));
  const pictures = new Map<string, { split: Split; sample: Sample; places: number[] }>();
  for (const [place, { split: name, image_id }] of suspects.entries()) {
    const split = splits[name]!;
    const key = `${name} ${image_id}`;
    const sample = pictures.get(key)?.sample ?? split.samples.find(({ imageId }) => imageId === image_id)!;
    pictures.set(key, { split, sample, places: [...(pictures.get(key)?.places ?? []), place] });
  }
  for (const { split, sample, places } of pictures.values()) {
    const image = await readOrNull(sample, split);
    if (!image) continue;
    for (const place of places) crops[place] = await cropOf(suspects[place]!, { image, sample, most });
  }
  return crops;
}

async function readOrNull({ path }: Sample, { reading }: Split): Promise<Rgb | null> {
  try {
    return await decodeFile(path, reading);
  } catch (error) {
    if (error instanceof UserError) return null; // very large ones are looked at in parts, and not shown
    throw error;
  }
}

async function cropOf(
  { label, other, found }: SuspectRecord,
  { image, sample, most }: { image: Rgb; sample: Sample; most: number },
): Promise<SuspectCrop | null> {
  const area = areaAround([label, other, found].flatMap((one) => (one ? [one.bbox] : [])), image); // biome-ignore format: one line
  if (!area) return null;
  const own = new Set([label?.index, other?.index]);
  const near = sample.annotations
    .filter(({ box: [x1, y1, x2, y2] }, index) => {
      return !own.has(index) && x1 < area.left + area.width && x2 > area.left && y1 < area.top + area.height && y2 > area.top; // biome-ignore format: one line
    })
    .slice(0, MOST_NEAR)
    .map(({ box: [x1, y1, x2, y2] }): CocoBox => [round(x1), round(y1), round(x2 - x1), round(y2 - y1)]);
  const part = cutOut(image, area);
  const jpeg = await encodeWithin(part, { most, sizes: SIZES });
  return jpeg === undefined ? null : { ...area, jpeg, near };
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}

/** In whole pixels inside of the picture; undefined where the boxes lie outside of it. */
function areaAround(boxes: readonly CocoBox[], { width, height }: { width: number; height: number }) {
  const [left, top] = [Math.min(...boxes.map((box) => box[0])), Math.min(...boxes.map((box) => box[1]))];
  const right = Math.max(...boxes.map(([x, , across]) => x + across));
  const bottom = Math.max(...boxes.map(([, y, , down]) => y + down));
  const longer = Math.max(right - left, bottom - top);
  const margin = Math.max(MARGIN * longer, (LEAST_SIDE - longer) / 2);
  const [x1, y1] = [Math.max(0, Math.floor(left - margin)), Math.max(0, Math.floor(top - margin))];
  const [x2, y2] = [Math.min(width, Math.ceil(right + margin)), Math.min(height, Math.ceil(bottom + margin))];
  return x2 > x1 && y2 > y1 ? { left: x1, top: y1, width: x2 - x1, height: y2 - y1 } : undefined;
}
