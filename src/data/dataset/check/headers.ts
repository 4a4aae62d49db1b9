// What the headers of images say that changes what training sees: EXIF orientation, more than 8 bits, more than one picture.

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
    wanted: (one: (typeof seen)[number]) => boolean,
    { severity = "warning", says }: { severity?: Problem["severity"]; says: string },
  ): Problem[] => {
    const some = seen.filter(wanted).map(({ sample }) => sample.file);
    if (some.length === 0) return [];
    const files = `${some[0]}${some.length > 1 ? " and others" : ""}`;
    const message = `${some.length} image${some.length === 1 ? "" : "s"}${of} of ${name} (${files}) ${says}.`;
    return [{ kind, severity, split: name, file: some[0]!, message }];
  };
  const stored = reading.exif !== "apply";
  const swapped = ({ sample, header }: (typeof seen)[number]) =>
    stored && header.swapped && header.width !== header.height && sample.width === header.height && sample.height === header.width; // biome-ignore format: one line
  const isTurned = (one: (typeof seen)[number]) => one.header.oriented && !swapped(one);
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
  ];
}
