// The pictures of a split as overlapping parts: those to train on, and those that whole pictures are evaluated by.

import { partsOf, type Slices, wholeArea } from "../../instance/slices/layout.ts";
import { UserError } from "../../util/errors.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import type { Sample, Split } from "../dataset/sample.ts";
import { imageHeader } from "../image/decode.ts";
import { clipper } from "./clip.ts";

/** Keeps the drawing of parts without objects apart from other streams of a seed. */
const BACKGROUND = 0x736c6963;

/** Parts of all pictures of a split. */
const MOST_SAMPLES = 2 ** 24;

/** What became of the pictures of a split. `empty`: parts without objects, of which `kept` are among the parts. */
export type Sliced = { split: Split; pictures: number; parts: number; empty: number; kept: number };

/**
 * The parts of each picture that is larger than one, with the objects in them, in the order of the pictures; others stay whole. Of
 * the parts without objects the share `background` is kept, drawn by the seed. Throws a UserError where the size of a
 * picture cannot be read, or it has too many parts.
 */
export async function sliceForTraining(
  split: Split,
  slices: Slices & { background: number },
  { seed }: { seed: number },
): Promise<Sliced> {
  const parts = (await sized(split)).map((sample) => ({ sample, parts: cut(sample, split, slices) }));
  requireRoom(parts.reduce((sum, one) => sum + one.parts.length, 0), split, slices); // biome-ignore format: one line
  const all = parts.flatMap(({ sample, parts }) => (parts.length > 0 ? parts : [sample]));
  const isEmpty = ({ area, annotations }: Sample) => area !== undefined && annotations.every(({ crowd }) => crowd);
  const empty = all.filter(isEmpty);
  const kept = Math.round(slices.background * empty.length);
  const chosen = new Set(
    rngFromSeed(seed, BACKGROUND)
      .shuffle([...empty])
      .slice(0, kept),
  );
  const samples = all.filter((sample) => !isEmpty(sample) || chosen.has(sample));
  const pictures = parts.filter((one) => one.parts.length > 0).length;
  const count = samples.filter(({ area }) => area).length;
  return { split: { ...split, samples }, pictures, parts: count, empty: empty.length, kept };
}

/**
 * For each picture all of it, which finds what is larger than a part, and then its parts. All have its id, one after the other.
 * `objects`: whether parts have the objects in them, for a loss. Throws as `sliceForTraining`.
 */
export async function sliceForEvaluation(
  split: Split,
  slices: Slices,
  { objects = false }: { objects?: boolean } = {},
): Promise<Split> {
  const samples: Sample[] = [];
  for (const sample of await sized(split)) {
    const parts = cut(objects ? sample : { ...sample, annotations: [] }, split, slices);
    samples.push(parts.length > 0 ? { ...sample, area: wholeArea([sample.height, sample.width]) } : sample);
    for (const part of parts) samples.push(part);
    requireRoom(samples.length, split, slices);
  }
  return { ...split, samples };
}

type SizedSample = Sample & { width: number; height: number };

/** The samples with the sizes that the annotations do not say, from the headers of their files. */
async function sized({ samples, reading }: Split): Promise<SizedSample[]> {
  const all: SizedSample[] = [];
  for (let i = 0; i < samples.length; i += 32) {
    const some = samples.slice(i, i + 32).map(async (sample) => {
      const { width, height } = sample;
      if (width !== null && height !== null) return { ...sample, width, height };
      const header = await imageHeader(sample.path, reading);
      return { ...sample, width: header.width, height: header.height };
    });
    all.push(...(await Promise.all(some)));
  }
  return all;
}

function cut(sample: SizedSample, { polygons: rule }: Split, slices: Slices): Sample[] {
  const picture = [sample.height, sample.width] as const;
  const areas = partsOf(picture, slices);
  if (areas.length === 0) return [];
  const clips = sample.annotations.map((annotation) => clipper(annotation, picture, { rule }));
  return areas.map((area) => ({
    ...sample,
    ...{ width: area.width, height: area.height, area },
    annotations: clips.flatMap((clip) => clip(area) ?? []),
  }));
}

function requireRoom(parts: number, { name }: Split, { size }: Slices): void {
  if (parts > MOST_SAMPLES)
    throw new UserError(`The pictures of ${name} have more than ${MOST_SAMPLES} parts of ${size} pixels.`, {
      hint: "Make data.slices.size larger, or data.slices.overlap smaller.",
    });
}
