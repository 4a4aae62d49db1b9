import { expect, test } from "vitest";
import { rngFromSeed } from "../util/random/rng.ts";
import { nearPairs, type PictureHash, pictureHash } from "./nearHashes.ts";
import { linkedSets } from "./together.ts";

const flipped = ([high, low]: PictureHash, bits: readonly number[]): PictureHash => {
  const words: [number, number] = [high, low];
  for (const bit of bits) words[bit < 32 ? 0 : 1] = (words[bit < 32 ? 0 : 1] ^ (1 << (bit % 32))) >>> 0;
  return words;
};

test("hashes that differ in up to three bits, wherever these are, are linked, and others are not", () => {
  const rng = rngFromSeed(5);
  const word = () => Math.floor(rng.uniform() * 2 ** 32);
  const originals = Array.from({ length: 3000 }, (): PictureHash => [word(), word()]);
  const bits = (count: number) => rng.shuffle(Array.from({ length: 64 }, (_, i) => i)).slice(0, count);
  const near = originals.map((hash, i) => flipped(hash, bits(i % 4)));
  const far = originals.map((hash) => flipped(hash, bits(9)));
  const links = linkedSets(9000);
  nearPairs([...originals, ...near, ...far], (a, b) => links.link(a, b));
  const sets = links.sets();
  expect(originals.filter((_, i) => sets[i] !== sets[3000 + i])).toEqual([]);
  expect(originals.filter((_, i) => sets[i] === sets[6000 + i])).toEqual([]);
  expect(new Set(sets).size).toBe(6000);
});

test("a picture without contrast has no hash, and is like no other", () => {
  expect(pictureHash(new Uint8Array(72).fill(200))).toBeNull();
  const ramp = pictureHash(Uint8Array.from({ length: 72 }, (_, i) => 20 * (i % 9)));
  expect(ramp).toEqual([0xffffffff, 0xffffffff]);
  const pairs: number[][] = [];
  nearPairs([null, ramp, null, ramp], (a, b) => pairs.push([a, b]));
  expect(pairs).toEqual([[1, 3]]);
});
