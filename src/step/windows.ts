// Batches in groups: those whose gradients make one optimizer step.

import type { Batch } from "../loading/batch/batch.ts";

/** The batches of one step. `began`: when the trainer asked for the first of them (performance.now()). */
export type Window = { batches: Batch[]; began: number };

/** Group batches by `size`; a last, smaller group is kept. A batch is asked for only when the trainer is ready for it. */
export async function* windows(batches: AsyncIterable<Batch>, size: number): AsyncGenerator<Window, void, undefined> {
  let window: Window = { batches: [], began: performance.now() };
  for await (const batch of batches) {
    window.batches.push(batch);
    if (window.batches.length < size) continue;
    yield window;
    window = { batches: [], began: performance.now() };
  }
  if (window.batches.length > 0) yield window;
}
