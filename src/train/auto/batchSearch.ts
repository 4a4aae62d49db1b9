// The search for a batch size: doubling as long as it fits and pays, then halving the gap to the first that does not.

/** What a probe of a batch size showed; `baseBytes` is the memory without a step, `seconds` those of one step. */
export type ProbeResult =
  | { images: number; seconds: number; peakBytes: number; baseBytes: number }
  | { failed: string };

export type SearchOptions = {
  /** Try whole steps with batches of this size. */
  probe(batchSize: number): Promise<ProbeResult>;
  /** Largest size that makes sense. */
  most: number;
  /** Memory that a step may take; null where only the attempt can tell (a GPU). */
  limitBytes: number | null;
  /** Stop growing where a larger batch does not train more images a second. */
  mustBeFaster: boolean;
  /** Seconds that the search may take; a probe that would go beyond is not begun. */
  seconds: number;
  now?: () => number;
};

/** `limit` says why it is not larger. Where not even one image fits, `size` is 0 and `limit` the reason. */
export type Found = { size: number; imagesPerSecond: number; peakBytes: number; limit: string };

/** A batch has to train at least this much faster than a smaller one. */
const WORTH = 1.05;

type Trial = Found & { baseBytes: number; took: number };

export async function searchBatchSize({
  probe,
  most,
  limitBytes,
  mustBeFaster,
  seconds,
  now,
}: SearchOptions): Promise<Found> {
  const clock = now ?? (() => performance.now() / 1000);
  const began = clock();
  let best: Trial | undefined;
  let limit = "";

  /** Whether this size is better than the best so far, which it then is; `limit` says why not. */
  const isBetter = async (size: number): Promise<"yes" | "no" | "end"> => {
    if (best && limitBytes !== null) {
      const needed = best.peakBytes + (best.peakBytes - best.baseBytes) * (size / best.size - 1);
      if (needed > limitBytes) {
        limit = `${size} would need about ${gigabytes(needed)} of the ${gigabytes(limitBytes)} that may be used`;
        return "no";
      }
    }
    const start = clock();
    if (best && start - began + best.took * (size / best.size) > seconds) {
      limit = `the search ended after ${Math.round(start - began)} seconds`;
      return "end";
    }
    const result = await probe(size);
    if ("failed" in result) {
      limit = `${size} does not fit: ${result.failed}`;
      return "no";
    }
    const { images, seconds: stepSeconds, peakBytes, baseBytes } = result;
    const imagesPerSecond = images / stepSeconds;
    if (best && limitBytes !== null && peakBytes > limitBytes) {
      limit = `${size} takes ${gigabytes(peakBytes)} of the ${gigabytes(limitBytes)} that may be used`;
      return "no";
    }
    if (best && mustBeFaster && imagesPerSecond < WORTH * best.imagesPerSecond) {
      limit = `${size} is no faster (${imagesPerSecond.toFixed(2)} against ${best.imagesPerSecond.toFixed(2)} images a second)`;
      return "end";
    }
    best = { size, imagesPerSecond, peakBytes, baseBytes, took: clock() - start, limit: "" };
    return "yes";
  };

  let failed: number | undefined;
  for (let size = 1; size <= most; size = size < most ? Math.min(2 * size, most) : most + 1) {
    const answer = await isBetter(size);
    if (answer === "yes") continue;
    if (answer === "no") failed = size;
    break;
  }
  if (!best) return { size: 0, imagesPerSecond: 0, peakBytes: 0, limit };
  while (failed !== undefined && failed - best.size > Math.max(1, best.size >> 2)) {
    const middle: number = (best.size + failed) >> 1;
    const answer = await isBetter(middle);
    if (answer === "end") break;
    if (answer === "no") failed = middle;
  }
  const { size, imagesPerSecond, peakBytes } = best;
  return { size, imagesPerSecond, peakBytes, limit: size === most ? `${most} is the most that is of use` : limit };
}

export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
