// Memory that is done with, for who needs as much next: new memory takes longer than most of what is done to a picture.

const MOST = 6;
const MOST_BYTES = 2 ** 22;
/** Lengths are rounded up to this, so that memory serves pictures of about its size. */
const STEP = 2 ** 16;

const own = new WeakSet<ArrayBufferLike>();
/** The largest first. */
const spare: ArrayBufferLike[] = [];

/** Memory of this length, whatever is in it: the smallest that there is, else new one. */
export function takeBytes(length: number): Uint8Array {
  const best = spare.findLastIndex((buffer) => buffer.byteLength >= length);
  if (best >= 0) return new Uint8Array(spare.splice(best, 1)[0]!, 0, length);
  if (length > MOST_BYTES) return new Uint8Array(length);
  const buffer = new ArrayBuffer(Math.ceil(length / STEP) * STEP);
  own.add(buffer);
  return new Uint8Array(buffer, 0, length);
}

/** Memory that nobody reads or writes any more; what was not taken here is let go, and the smallest where there is too much. */
export function giveBytes({ buffer }: Uint8Array): void {
  if (!own.has(buffer) || spare.includes(buffer)) return;
  spare.push(buffer);
  spare.sort((a, b) => b.byteLength - a.byteLength);
  if (spare.length > MOST) spare.pop();
}
