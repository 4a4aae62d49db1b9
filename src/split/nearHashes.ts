// Difference hashes of pictures, and which of them are nearly the same, found without comparing all with all: the tables of
// "Detecting Near-Duplicates for Web Crawling" (Manku, Jain, Das Sarma, WWW 2007).

/** 64 bits of a picture, as two unsigned numbers of 32. */
export type PictureHash = readonly [high: number, low: number];

/** Size of the grey picture that a hash is made of. */
export const HASH_SIZE = { width: 9, height: 8 } as const;

/** Bits in which the hashes of near-duplicates may differ. */
const MOST_BITS = 3;

/** A picture with less contrast than this, of 255, is taken for empty: noise alone decides on its bits. */
const LEAST_CONTRAST = 12;

/** Bits of the six blocks that a hash is cut into: hashes that differ in three bits have three of them in common. */
const BLOCKS = [11, 11, 11, 11, 10, 10] as const;

/** Hashes of a table's entry with which each is compared, at most. */
const MOST_COMPARED = 500;

/**
 * Whether each pixel is darker than the one to its right, of a grey picture of 9 x 8, row by row; null for one that shows
 * nothing.
 */
export function pictureHash(grey: Uint8Array): PictureHash | null {
  const { width, height } = HASH_SIZE;
  let [least, most] = [255, 0];
  for (const pixel of grey) [least, most] = [Math.min(least, pixel), Math.max(most, pixel)];
  if (most - least < LEAST_CONTRAST) return null;
  const words: [number, number] = [0, 0];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width - 1; x++) {
      const bit = grey[y * width + x]! < grey[y * width + x + 1]! ? 1 : 0;
      const word = y < height / 2 ? 0 : 1;
      words[word] = ((words[word] << 1) | bit) >>> 0;
    }
  return words;
}

/** Calls `visit` for pairs of items whose hashes differ in at most three bits, such that all that are alike are linked. */
export function nearPairs(hashes: readonly (PictureHash | null)[], visit: (a: number, b: number) => void): void {
  const firsts = new Map<string, number>();
  for (const [i, hash] of hashes.entries()) {
    if (!hash) continue;
    const key = hash.join();
    const first = firsts.get(key);
    if (first === undefined) firsts.set(key, i);
    else visit(first, i);
  }
  const items = [...firsts.values()];
  const blocks = items.map((i) => blocksOf(hashes[i]!));
  for (let a = 0; a < BLOCKS.length; a++)
    for (let b = a + 1; b < BLOCKS.length; b++)
      for (let c = b + 1; c < BLOCKS.length; c++) {
        const table = new Map<number, number[]>();
        for (const [place, own] of blocks.entries()) {
          const key = (own[a]! * 2048 + own[b]!) * 2048 + own[c]!;
          const entry = table.get(key);
          if (entry) entry.push(items[place]!);
          else table.set(key, [items[place]!]);
        }
        for (const entry of table.values()) if (entry.length > 1) compareAll(entry, hashes, visit);
      }
}

function compareAll(
  entry: readonly number[],
  hashes: readonly (PictureHash | null)[],
  visit: (a: number, b: number) => void,
): void {
  for (let i = 0; i < entry.length; i++)
    for (let j = i + 1; j < Math.min(entry.length, i + 1 + MOST_COMPARED); j++)
      if (distance(hashes[entry[i]!]!, hashes[entry[j]!]!) <= MOST_BITS) visit(entry[i]!, entry[j]!);
}

function blocksOf([high, low]: PictureHash): number[] {
  // 32 bits do not hold two blocks of 11 and one of 10 at a border of words, so bits are taken one block after the other
  let bits = (BigInt(high) << 32n) | BigInt(low);
  return BLOCKS.map((size) => {
    const block = Number(bits & ((1n << BigInt(size)) - 1n));
    bits >>= BigInt(size);
    return block;
  });
}

function distance([a, b]: PictureHash, [c, d]: PictureHash): number {
  return ones(a ^ c) + ones(b ^ d);
}

function ones(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
