// Masks as COCO's run lengths: pixels column by column, runs outside and inside in turn, the first one outside.

/** `counts` add up to height times width; only the first one may be 0. */
export type Runs = { size: readonly [height: number, width: number]; counts: Uint32Array };

/**
 * The numbers of COCO's text: five bits a character, from 48 on, 32 where more follow; from the fourth run on, what it differs
 * from the last but one. Null where the text is none.
 */
export function unpackRuns(text: string): number[] | null {
  const runs: number[] = [];
  for (let at = 0; at < text.length; ) {
    let [value, shift, more] = [0, 0, true];
    while (more) {
      const bits = text.charCodeAt(at++) - 48;
      if (!(bits >= 0 && bits < 64) || shift > 30) return null;
      more = (bits & 32) !== 0;
      value += (bits & 31) * 2 ** shift;
      shift += 5;
      if (!more && bits & 16) value -= 2 ** shift;
    }
    runs.push(value + (runs.length > 2 ? runs[runs.length - 2]! : 0));
  }
  return runs;
}

/** COCO's text of run lengths, equal to pycocotools'. */
export function packRuns({ counts }: Runs): string {
  const codes: number[] = [];
  for (let i = 0; i < counts.length; i++) {
    let value = i > 2 ? counts[i]! - counts[i - 2]! : counts[i]!;
    for (let more = true; more; ) {
      const bits = value & 31;
      value >>= 5;
      more = bits & 16 ? value !== -1 : value !== 0;
      codes.push(48 + (more ? bits | 32 : bits));
    }
  }
  let text = "";
  for (let i = 0; i < codes.length; i += 4096) text += String.fromCharCode(...codes.slice(i, i + 4096));
  return text;
}

/** Runs from where pixels change, in rising order and in the columns' order. A place that is there twice changes nothing. */
export function runsFromChanges(changes: ArrayLike<number>, size: Runs["size"]): Runs {
  const all = size[0] * size[1];
  const places = new Uint32Array(changes.length + 1);
  let length = 0;
  for (let i = 0; i < changes.length; i++) {
    const place = Math.min(changes[i]!, all);
    if (length > 0 && places[length - 1] === place) length--;
    else places[length++] = place;
  }
  if (length === 0 || places[length - 1]! < all) places[length++] = all;
  const counts = places.slice(0, length);
  for (let i = length - 1; i > 0; i--) counts[i]! -= counts[i - 1]!;
  return { size, counts };
}

/** Where pixels change, in the columns' order: those from every even place to the next one are inside. As many even places as odd ones. */
export function changesOf({ counts }: Runs): Uint32Array {
  const places = new Uint32Array(counts.length - (counts.length % 2));
  let at = 0;
  for (let i = 0; i < places.length; i++) {
    at += counts[i]!;
    places[i] = at;
  }
  return places;
}

/** Calls `visit` for what is inside, column by column: rows `from` up to `to` of column `x`. `changes`: of a mask of so many rows. */
export function overColumns(
  changes: Uint32Array,
  rows: number,
  visit: (x: number, from: number, to: number) => void,
): void {
  for (let i = 0; i < changes.length; i += 2) {
    const [from, to] = [changes[i]!, changes[i + 1]!];
    for (let x = Math.floor(from / rows), start = x * rows; start < to; x++, start += rows)
      visit(x, Math.max(from - start, 0), Math.min(to - start, rows));
  }
}

/** A mask with its run lengths as COCO's text. */
export function packMask(runs: Runs): { size: [height: number, width: number]; counts: string } {
  return { size: [runs.size[0], runs.size[1]], counts: packRuns(runs) };
}

/** The runs of pixels [height, width], row-major, not 0 inside. */
export function encodeRuns(pixels: ArrayLike<number>, [height, width]: Runs["size"]): Runs {
  const changes: number[] = [];
  let last = 0;
  for (let x = 0; x < width; x++)
    for (let y = 0; y < height; y++) {
      const now = pixels[y * width + x]! === 0 ? 0 : 1;
      if (now !== last) changes.push(x * height + y);
      last = now;
    }
  return runsFromChanges(changes, [height, width]);
}

/** Pixels [height, width], row-major, 1 inside. */
export function decodeRuns(runs: Runs): Uint8Array {
  const [height, width] = runs.size;
  const pixels = new Uint8Array(height * width);
  const places = changesOf(runs);
  for (let i = 0; i < places.length; i += 2)
    for (let at = places[i]!; at < places[i + 1]!; at++) pixels[(at % height) * width + Math.floor(at / height)] = 1;
  return pixels;
}

/** Pixels inside. */
export function runsArea({ counts }: Runs): number {
  let area = 0;
  for (let i = 1; i < counts.length; i += 2) area += counts[i]!;
  return area;
}

/** What is in any of some masks of one size. */
export function uniteRuns(masks: readonly Runs[], size: Runs["size"]): Runs {
  if (masks.length === 1) return masks[0]!;
  const spans = masks.flatMap((one) => {
    const places = changesOf(one);
    return Array.from({ length: places.length / 2 }, (_, i) => [places[2 * i]!, places[2 * i + 1]!] as const);
  });
  spans.sort((a, b) => a[0] - b[0]);
  const changes: number[] = [];
  for (const [from, to] of spans) {
    const end = changes.at(-1);
    if (end === undefined || from > end) changes.push(from, to);
    else if (to > end) changes[changes.length - 1] = to;
  }
  return runsFromChanges(changes, size);
}
