// Which few pictures stand for a split: from few objects to many, with as many classes as possible. The same ones for a seed.

import type { Sample } from "../../data/dataset/sample.ts";
import { rngFromSeed } from "../../util/random/rng.ts";

/** In a picture of more objects nobody sees what happens; it is chosen where there are no others. */
const MOST_OBJECTS = 40;

/**
 * Of the images, ordered by their number of objects and cut in `count` parts, one of each part: the one that adds most classes, by chance
 * among equals. `use` gives what is kept of an image; where that is undefined another one of the part takes its place.
 */
export async function chooseSpread<Kept>(
  samples: readonly Sample[],
  { seed, count, use }: { seed: number; count: number; use: (sample: Sample) => Promise<Kept | undefined> },
): Promise<Kept[]> {
  const all = rngFromSeed(seed, ...[..."pictures"].map((letter) => letter.charCodeAt(0)))
    .shuffle([...samples])
    .map((sample) => ({ sample, kinds: kindsOf(sample) }))
    .sort((a, b) => a.kinds.length - b.kinds.length);
  const isClear = ({ kinds }: (typeof all)[number]) => kinds.length > 0 && kinds.length <= MOST_OBJECTS;
  const clear = all.filter(isClear);
  const pool = clear.length < count ? [...clear, ...all.filter((one) => !isClear(one))] : clear;
  const parts = Math.min(count, pool.length);
  const seen = new Set<number>();
  const kept: Kept[] = [];
  for (let i = 0; i < parts; i++) {
    const part = pool.slice(Math.floor((i * pool.length) / parts), Math.floor(((i + 1) * pool.length) / parts));
    while (part.length > 0) {
      const added = part.map(({ kinds }) => new Set(kinds.filter((kind) => !seen.has(kind))).size);
      const most = added.reduce((a, b) => Math.max(a, b), 0);
      const [{ sample, kinds }] = part.splice(added.indexOf(most), 1) as [(typeof part)[number]];
      const one = await use(sample);
      if (one === undefined) continue;
      for (const kind of kinds) seen.add(kind);
      kept.push(one);
      break;
    }
  }
  return kept;
}

/** The class of each object that counts. */
function kindsOf({ annotations }: Sample): number[] {
  return annotations.filter(({ crowd }) => !crowd).map(({ categoryId }) => categoryId);
}
