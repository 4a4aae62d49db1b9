// What a file may take to be opened and run once: far more than any detector of its size, on a slow machine that is busy.

import { totalmem } from "node:os";

/** `seconds` of processor time, of all threads together, so that a busy machine refuses nothing; `bytes` of memory. */
export type Limits = { seconds: number; bytes: number };

/** So many times as long it may take altogether: with other programs at work, or waiting for the disk. */
export const PATIENCE = 1.5;

const MEGA = 1e6;
const MOST_SECONDS = 1800;

/**
 * `bytes`: of the file; `images`: in all runs together, squares of `side` pixels. Constants are read, folded and packed once, and
 * each pixel meets all of them; attention sees each pixel with each other. Never more memory than the machine has.
 */
export function trialLimits({ bytes, images, side }: { bytes: number; images: number; side: number }): Limits {
  const [megabytes, megapixels] = [bytes / MEGA, side ** 2 / MEGA];
  const memory = MEGA * (700 + 4 * megabytes + images * (3000 * megapixels + 1000 * megapixels ** 2));
  const machine = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return {
    seconds: Math.min(MOST_SECONDS, 3 + 0.1 * megabytes + images * megapixels * 2 * (15 + megabytes)),
    bytes: Math.min(memory, 0.9 * machine),
  };
}
