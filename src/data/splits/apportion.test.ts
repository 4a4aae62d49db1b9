import { expect, test } from "vitest";
import { rngFromSeed } from "../../util/random/rng.ts";
import type { Sample } from "../dataset/sample.ts";
import { shareOut } from "./apportion.ts";

/** Images of scenes of 1 to 8 frames each, with boxes of 15 classes, the last of which are rare. */
function scenes(count: number): Sample[] {
  const rng = rngFromSeed(11);
  const samples: Sample[] = [];
  for (let scene = 0; samples.length < count; scene++) {
    const own = Array.from({ length: 1 + rng.int(3) }, () => Math.floor(15 * rng.uniform() ** 2));
    for (let frame = 0, frames = 1 + rng.int(8); frame < frames && samples.length < count; frame++) {
      const boxes =
        rng.uniform() < 0.1 ? [] : own.flatMap((label) => Array.from({ length: 1 + rng.int(4) }, () => label));
      samples.push({
        imageId: samples.length,
        file: `scene${scene}_${frame}.jpg`,
        path: `/nowhere/${samples.length}.jpg`,
        width: 100,
        height: 100,
        annotations: boxes.map((label, id) => ({
          id,
          categoryId: label,
          label,
          box: [0, 0, 9, 9],
          area: 81,
          crowd: false,
        })),
      });
    }
  }
  return samples;
}

test("10,000 images in groups: none on two sides, class shares within 2 %, in seconds", () => {
  const samples = scenes(10_000);
  const rng = rngFromSeed(2);
  const word = () => Math.floor(rng.uniform() * 2 ** 32);
  const hashes = samples.map((): [number, number] => [word(), word()]);
  hashes[77] = hashes[5555]!; // a near-duplicate in another scene
  const twins = [[3, 9000, 4000]];
  const began = performance.now();
  const { sides, units, copies, nearly } = shareOut(samples, {
    shares: [0.8, 0.2],
    seed: 1,
    group: "^(scene\\d+)_",
    twins,
    hashes,
  });
  expect(performance.now() - began).toBeLessThan(20_000);
  const sceneOf = (i: number) => samples[i]!.file.split("_")[0];
  const sideOf = new Map<string | undefined, number>();
  for (const [i, side] of sides.entries()) {
    expect(sideOf.get(sceneOf(i)) ?? side).toBe(side);
    sideOf.set(sceneOf(i), side);
  }
  expect(new Set([3, 9000, 4000].map((i) => sides[i])).size).toBe(1);
  expect(sides[77]).toBe(sides[5555]);
  expect([copies, nearly]).toEqual([2, 1]);
  expect(units).toBe(sideOf.size - 3);
  for (let label = 0; label < 15; label++) {
    const count = (wanted: (i: number) => boolean) =>
      samples.reduce(
        (sum, { annotations }, i) => sum + (wanted(i) ? annotations.filter((one) => one.label === label).length : 0),
        0,
      );
    expect(Math.abs(count((i) => sides[i] === 1) / count(() => true) - 0.2), `class ${label}`).toBeLessThan(0.02);
  }
  expect(Math.abs(sides.filter((side) => side === 1).length / 10_000 - 0.2)).toBeLessThan(0.02);
});
