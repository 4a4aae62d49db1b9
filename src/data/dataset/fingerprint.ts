// Hashes of a data set, by which a run that goes on, and a comparison of runs, know whether the data is the same.

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { endsOf } from "../splits/alike.ts";
import type { Dataset } from "./dataset.ts";
import { SPLITS, spread } from "./sample.ts";

/** Images of a split that are opened, spread evenly, where opening all of them would take long. */
const MOST_IMAGES = 5000;

/**
 * Hex SHA-256 over the class table, every annotation as training sees it, and every image's name and size in bytes. `masks`: whether
 * training sees masks, too.
 */
export async function datasetFingerprint(
  { classes, splits }: Dataset,
  { masks = false }: { masks?: boolean } = {},
): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(classes));
  for (const split of SPLITS.flatMap((name) => splits[name] ?? [])) {
    hash.update(split.name);
    for (let i = 0; i < split.samples.length; i += 64) {
      const some = split.samples.slice(i, i + 64);
      const sizes = await Promise.all(
        some.map(({ path }) =>
          stat(path).then(
            (s) => s.size,
            () => -1,
          ),
        ),
      );
      some.forEach(({ imageId, file, annotations, area }, j) => {
        const seen = annotations.map(({ mask, keypoints: _, byModel: _mark, score: _score, ...box }) =>
          masks && mask ? { ...box, mask } : box,
        );
        hash.update(JSON.stringify([imageId, file, sizes[j], seen, ...(area ? [area] : [])]));
      });
    }
  }
  return hash.digest("hex");
}

/**
 * Hex SHA-256 over the first and the last 4 KB of the images' files, of a split of more than 5000 those of 5000: images that
 * were changed without a change of their size are noticed so.
 */
export async function contentFingerprint({ splits }: Dataset): Promise<string> {
  const hash = createHash("sha256");
  for (const split of SPLITS.flatMap((one) => splits[one] ?? [])) {
    hash.update(split.name);
    const { samples } = spread(split, MOST_IMAGES);
    for (let i = 0; i < samples.length; i += 64) {
      const some = samples.slice(i, i + 64);
      for (const ends of await Promise.all(some.map(({ path }) => endsOf(path).catch(() => null))))
        hash.update(String(ends?.length)).update(ends ?? "");
    }
  }
  return hash.digest("hex");
}
