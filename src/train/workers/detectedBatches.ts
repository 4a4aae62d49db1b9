// What was found in the batches of an evaluation, each of which one of the workers has looked at.

import type { Workers } from "../../distributed/workers.ts";
import type { ImageDetections } from "../../instance/detections.ts";
import type { Batch } from "../../loading/batch/batch.ts";
import { inFlight } from "../../util/threads/inFlight.ts";
import type { BatchLosses } from "../losses/validationLoss.ts";

/** A batch without its images. */
export type DetectedBatch = Pick<Batch, "imageIds" | "broken" | "originalSizes" | "areas"> & {
  found: ImageDetections[];
  losses: BatchLosses | undefined;
};

type Detect = (batch: Batch, place: number) => Promise<Pick<DetectedBatch, "found" | "losses">>;

/**
 * All batches in their order, on every worker. `batches` are this worker's: every so many, as the loader shares them out; `detect` is given
 * the place of a batch among all. A worker by itself gives each in its turn.
 */
export async function* detectedBatches(
  batches: AsyncIterable<Batch>,
  detect: Detect,
  workers: Workers,
): AsyncGenerator<DetectedBatch> {
  const own = lookedAt(batches, detect, workers);
  if (workers.size === 1) return yield* own;
  const mine: DetectedBatch[] = [];
  for await (const batch of own) mine.push(batch);
  const all = workers.gather(mine);
  for (const round of all[0]!.keys()) for (const list of all) if (list[round]) yield list[round];
}

function lookedAt(
  batches: AsyncIterable<Batch>,
  detect: Detect,
  { rank, size }: Workers,
): AsyncGenerator<DetectedBatch> {
  let next = rank;
  return inFlight(batches, async (batch) => {
    const place = next;
    next += size;
    const { imageIds, broken, originalSizes, areas } = batch;
    const looked = imageIds.length === 0 ? { found: [], losses: undefined } : await detect(batch, place);
    return { imageIds, broken, originalSizes, ...(areas && { areas }), ...looked };
  });
}
