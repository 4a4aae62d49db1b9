import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { syntheticScores } from "../../../tests/support/syntheticScores.ts";
import { type Matches, packMatches, readMatches } from "../../run/records/matches.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import { cocoAp } from "../cocoAp.ts";
import type { Objects } from "../operating/counts.ts";
import { imageMatches } from "./imageMatches.ts";
import { pairedDifference, sampleAp } from "./pairedDifference.ts";

/** What one of two models of a kind finds: the same objects, its own noise; `lost`: the share that it does not find. */
function found(base: Objects, { seed, lost }: { seed: number; lost: number }): Objects {
  const rng = rngFromSeed(seed, 0x666f75);
  const detections = base.detections.flatMap((one) => {
    const score = Math.min(1, Math.max(0, one.score + 0.1 * rng.normal()));
    return rng.uniform() < lost ? [] : [{ ...one, score }];
  });
  return { ...base, detections };
}

const samples = (images: number) => Array.from({ length: images }, (_, i) => ({ imageId: i + 1, file: `${i}.jpg` }));

function matchesOf(objects: Objects, images: number): Matches {
  const { groundTruths, detections, categories } = objects;
  const all = { groundTruths: [...groundTruths], detections: [...detections], categories: [...categories] };
  return imageMatches({ ...all, metrics: {}, broken: [] }, { samples: samples(images), maxDets: 100 })!;
}

const once = (images: number) => new Uint16Array(images).fill(1);

test("what is kept of an evaluation has its AP, and that of any sample of its images", () => {
  const objects = syntheticScores(30, 3);
  const { kinds } = matchesOf(objects, 30);
  const { metrics } = cocoAp(objects);
  const whole = sampleAp(kinds[0]!.classes, once(30));
  expect(whole["AP50:95"]).toBeCloseTo(metrics["AP50:95"]!, 12);
  expect(whole.AP50).toBeCloseTo(metrics.AP50!, 12);

  const rng = rngFromSeed(5);
  const times = new Uint16Array(30);
  for (let i = 0; i < 30; i++) times[rng.int(30)]!++;
  const drawn = <Of extends { imageId: number }>(all: readonly Of[]) =>
    all.flatMap((one) => Array.from({ length: times[one.imageId - 1]! }, (_, n) => ({ ...one, imageId: one.imageId + 1000 * n }))); // biome-ignore format: one line
  const sample = { ...objects, groundTruths: drawn(objects.groundTruths), detections: drawn(objects.detections) };
  const resampled = sampleAp(kinds[0]!.classes, times);
  // copies of an image tie with it, in another order than here
  expect(resampled["AP50:95"]).toBeCloseTo(cocoAp(sample).metrics["AP50:95"]!, 2);
});

test("it comes back from its file as it was, and not at all where that is damaged", async () => {
  const dir = await mkdtemp(join(tmpdir(), "matches-"));
  try {
    const matches = matchesOf(syntheticScores(12, 4), 12);
    const file = join(dir, "evaluation", "7", "matches.json");
    await mkdir(join(dir, "evaluation", "7"), { recursive: true });
    await writeFile(file, packMatches(matches));
    expect(await readMatches(dir, 7)).toEqual(matches);
    expect(await readMatches(dir, 8)).toBeNull();
    const text = JSON.parse(packMatches(matches));
    const [first] = text.kinds[0].classes;
    for (const spoilt of [
      { ...text, images: text.images.slice(0, 2) }, // places beyond them
      { ...text, kinds: [{ prefix: "", classes: [{ ...first, matched: "AAA=" }] }] },
      { ...text, kinds: [{ prefix: "", classes: [{ ...first, image: 7 }] }] },
      { ...text, kinds: [null] },
      { ...text, format: 2 },
    ]) {
      await writeFile(file, JSON.stringify(spoilt));
      expect(await readMatches(dir, 7)).toBeNull();
    }
  } finally {
    await rm(dir, { recursive: true });
  }
});

/** Of pairs of models, how often the interval around their difference holds none, and the mean of its half. */
function noDifference(pairs: number, lost: number) {
  let [none, half] = [0, 0];
  for (let pair = 0; pair < pairs; pair++) {
    const base = syntheticScores(30, pair);
    const [a, b] = [found(base, { seed: 2 * pair, lost: 0.1 }), found(base, { seed: 2 * pair + 1, lost })];
    const between = pairedDifference(matchesOf(a, 30), matchesOf(b, 30), { seed: pair });
    if (!("half" in between)) throw new Error(between.why);
    const ap = (of: Objects) => cocoAp(of).metrics["AP50:95"]!;
    if (Math.abs(ap(b) - ap(a)) <= between.half["AP50:95"]!) none++;
    half += between.half["AP50:95"]! / pairs;
  }
  return { none, half };
}

test("of two models that are equally good no difference is shown in 17 of 20 pairs at least, and that a worse one is worse is shown", () => {
  const { none, half } = noDifference(20, 0.1);
  expect(none).toBeGreaterThanOrEqual(17);
  expect(half).toBeGreaterThan(0.01);
  expect(half).toBeLessThan(0.1);
  expect(noDifference(4, 0.5).none).toBe(0);
});

test("images in another order make no difference, the same seed gives the same", () => {
  const base = syntheticScores(20, 9);
  const [a, b] = [matchesOf(found(base, { seed: 1, lost: 0 }), 20), matchesOf(found(base, { seed: 2, lost: 0 }), 20)];
  const back = (place: number) => 19 - place;
  const turned: Matches = {
    images: [...b.images].reverse(),
    kinds: b.kinds.map(({ prefix, classes }) => ({
      prefix,
      classes: classes.map((one) => ({
        ...one,
        objects: { ...one.objects, image: one.objects.image.map(back) },
        image: one.image.map(back),
      })),
    })),
  };
  const straight = pairedDifference(a, b, { seed: 3 });
  expect(pairedDifference(a, turned, { seed: 3 })).toEqual(straight);
  expect(pairedDifference(a, b, { seed: 4 })).not.toEqual(straight);
  expect(pairedDifference(a, a, { seed: 3 })).toEqual({ images: 20, half: { "AP50:95": 0, AP50: 0 } });
});

test("other images, other objects and too few of either are told", () => {
  const a = matchesOf(syntheticScores(20, 1), 20);
  const why = (other: Matches, one = a) => {
    const found = pairedDifference(one, other, { seed: 1 });
    return "why" in found ? found.why : "";
  };
  expect(why({ ...a, images: a.images.map((file) => `new/${file}`) })).toContain("the same images");
  expect(why(matchesOf(syntheticScores(20, 2), 20))).toContain("other classes or objects");
  const few = matchesOf(syntheticScores(5, 1), 5);
  expect(why(few, few)).toContain("5 validation images are too few");
});
