// What the headers of images say that changes what training sees: EXIF orientation, more than 8 bits, more than one picture.

import { type ImageHeader, imageHeader } from "../../image/decode.ts";
import type { Dataset } from "../dataset.ts";
import { type Problem, SPLITS, type Split } from "../sample.ts";

/** Images of a split that are looked at, spread evenly, where a look at all of them would take long. */
export const MOST_HEADERS = 5000;

/** One problem for each split and kind, with how many images it is about. An image that cannot be read is left to who decodes it. */
export async function headerProblems(
  dataset: Dataset,
  { most = Number.POSITIVE_INFINITY }: { most?: number } = {},
): Promise<Problem[]> {
  const splits = SPLITS.flatMap((name) => dataset.splits[name] ?? []);
  const found = [];
  for (const split of splits) found.push(...(await ofSplit(split, most)));
  return found;
}

async function ofSplit(split: Split, most: number): Promise<Problem[]> {
  const { name, samples, reading } = split;
  const every = Math.max(1, samples.length / most);
  const looked = Array.from({ length: Math.min(most, samples.length) }, (_, i) => samples[Math.floor(i * every)]!);
  const seen: { sample: (typeof samples)[number]; header: ImageHeader }[] = [];
  for (let i = 0; i < looked.length; i += 32) {
    const some = looked.slice(i, i + 32);
    const headers = await Promise.all(some.map(({ path }) => imageHeader(path, reading).catch(() => undefined)));
    for (const [j, header] of headers.entries()) if (header) seen.push({ sample: some[j]!, header });
  }
  const of = looked.length < samples.length ? ` of ${looked.length} that were looked at` : "";
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
