// Loaders of the validation images of datasets/trees, and the batches that they give.

import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { loadDataset } from "../../src/data/dataset/dataset.ts";
import type { Split } from "../../src/data/dataset/sample.ts";
import type { Batch } from "../../src/loading/batch/batch.ts";
import { createLoader, type Loader, type LoaderOptions } from "../../src/loading/batch/loader.ts";

/** The images, and a function that makes loaders of them, of two small ones at a time unless told otherwise; all are closed after each test. */
export async function treeLoaders(): Promise<{ split: Split; loaderOf(options: Partial<LoaderOptions>): Loader }> {
  const { splits } = await loadDataset({ dir: join(import.meta.dirname, "..", "..", "datasets", "trees") });
  const split = splits.val!;
  const open: Loader[] = [];
  afterEach(async () => {
    for (const loader of open.splice(0)) await loader.close();
  });
  return {
    split,
    loaderOf: (options) => {
      const augment = { horizontal_flip: 0.5, scale_jitter: true };
      const defaults = { split, batchSize: 2, resolution: 48, workers: 0, seed: 3, augment, training: true };
      const loader = createLoader({ ...defaults, ...options });
      open.push(loader);
      return loader;
    },
  };
}

/** All batches, without how long each was waited for. */
export async function collectBatches(batches: AsyncIterable<Batch>): Promise<Omit<Batch, "wait">[]> {
  const all: Omit<Batch, "wait">[] = [];
  for await (const { wait, ...batch } of batches) {
    expect(wait).toBeGreaterThanOrEqual(0);
    all.push(batch);
  }
  return all;
}
