// What the headers of images say that changes what training sees: EXIF orientation, another size, more than 8 bits, more than one picture.

import { type ImageHeader, imageHeader } from "../../image/decode.ts";
import type { Dataset } from "../dataset.ts";
import { type Problem, type Sample, SPLITS, type Split, spread } from "../sample.ts";

/** Images of a split that are looked at, spread evenly, where a look at all of them would take long. */
const MOST_HEADERS = 5000;

/** The header of each of some samples; null where it cannot be read, which is left to who decodes the image. */
type Headers = readonly { sample: Sample; header: ImageHeader | null }[];

/** Read the headers of up to 5000 images of each split, and judge them. */
export async function headerProblems(dataset: Dataset): Promise<Problem[]> {
  const found = [];
  for (const split of SPLITS.flatMap((name) => dataset.splits[name] ?? []))
    found.push(...judgeHeaders(split, await readHeaders(spread(split, MOST_HEADERS))));
  return found;
}

async function readHeaders({ samples, reading }: Split): Promise<Headers> {
  const headers: Headers[number][] = [];
  for (let i = 0; i < samples.length; i += 32) {
    const some = samples.slice(i, i + 32).map(async (sample) => {
      return { sample, header: await imageHeader(sample.path, reading).catch(() => null) };
    });
    headers.push(...(await Promise.all(some)));
  }
  return headers;
}

/** One problem for each kind, with how many images of the split it is about. */
export function judgeHeaders({ name, samples, reading }: Split, headers: Headers): Problem[] {
  const seen = headers.flatMap(({ sample, header }) => (header ? [{ sample, header }] : []));
  const of = headers.length < samples.length ? ` of ${headers.length} that were looked at` : "";
  const problem = (
    kind: Problem["kind"],
    wanted: (one: Seen) => boolean,
    { severity = "warning", says }: { severity?: Problem["severity"]; says: string },
  ): Problem[] => {
    const some = seen.filter(wanted).map(({ sample }) => sample.file);
    if (some.length === 0) return [];
    const files = `${some[0]}${some.length > 1 ? " and others" : ""}`;
    const message = `${some.length} image${some.length === 1 ? "" : "s"}${of} of ${name} (${files}) ${says}.`;
    return [{ kind, severity, split: name, file: some[0]!, message }];
  };
  const stored = reading.exif !== "apply";
  const swapped = ({ sample, header }: Seen) =>
    stored && header.swapped && header.width !== header.height && sample.width === header.height && sample.height === header.width; // biome-ignore format: one line
  const isTurned = (one: Seen) => one.header.oriented && !swapped(one);
  const others = new Set(seen.filter((one) => isOfOtherSize(one) && !swapped(one)));
  const suspects = [...others].filter(isResized);
  const annotated = seen.filter(({ sample }) => sample.annotations.length > 0).length;
  const resized = new Set(2 * suspects.length >= annotated ? suspects : []);
  return [
    ...problem("exif", swapped, {
      severity: "error",
      says: "carry an EXIF orientation and are annotated as it turns them, but are read as they are stored: set data.exif: apply",
    }),
    ...problem("exif", isTurned, {
      says: stored
        ? "carry an EXIF orientation and are read as they are stored, as RF-DETR does: the boxes must lie on the stored pixels, else set data.exif: apply"
        : "carry an EXIF orientation and are turned as it says (data.exif: apply)",
    }),
    ...problem("deep-image", ({ header }) => header.deep, {
      says: "have more than 8 bits a channel: the upper 8 are used, where RF-DETR cuts grey ones off at 255",
    }),
    ...problem("animated-image", ({ header }) => header.more > 0, {
      says: "hold more than one picture: the first one is used",
    }),
    ...problem("size-differs", (one) => resized.has(one), {
      severity: "error",
      says: `are not of the size that the annotations say (${firstSizes(others)}), and boxes lie outside of them: they were resized and the labels were not, so export both together`,
    }),
    ...problem("size-differs", (one) => others.has(one) && !resized.has(one), {
      says: `are not of the size that the annotations say (${firstSizes(others)}): the boxes must lie on the pixels of the files, and what reaches out of these is cut off`,
    }),
  ];
}

type Seen = { sample: Sample; header: ImageHeader };

function isOfOtherSize({ sample: { width, height }, header }: Seen): boolean {
  return width !== null && height !== null && (width !== header.width || height !== header.height);
}

/**
 * Whether the picture was made larger or smaller after it was annotated: boxes lie outside of it, half of them or more where both sides have
 * changed alike, else all. Any other size may as well be a slip of who wrote it.
 */
function isResized({ sample, header }: Seen): boolean {
  const boxes = sample.annotations.map(({ box }) => box);
  const beyond = boxes.filter(([, , x2, y2]) => x2 > header.width + 1 || y2 > header.height + 1).length; // rounding is no more
  const outside = boxes.filter(([x1, y1]) => x1 >= header.width || y1 >= header.height).length;
  const [width, height] = [sample.width!, sample.height!];
  const isAlike = Math.abs(width * header.height - height * header.width) <= Math.max(width, height);
  return beyond > 0 && (outside === boxes.length || (isAlike && 2 * beyond >= boxes.length));
}

/** The sizes of the first one, in words. */
function firstSizes([one]: Iterable<Seen>): string {
  return one ? `${one.header.width} x ${one.header.height}, not ${one.sample.width} x ${one.sample.height}` : "";
}
