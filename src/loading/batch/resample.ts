// Class re-sampling: how often each image is shown, so that rare classes are seen more. Repeat-factor sampling is that of
// LVIS (Gupta, Dollar, Girshick, "LVIS: A Dataset for Large Vocabulary Instance Segmentation", CVPR 2019, section 4).

import type { Sample } from "../../data/dataset/sample.ts";
import type { Fact } from "../../util/text/fact.ts";

export type Resampling = "repeat-factor" | "balanced";

/** A class that is in fewer images than this share of them is rare: the threshold of LVIS. */
const RARE_SHARE = 0.001;

/**
 * How often to show each image, relative to the others. "repeat-factor": the largest of its classes' factors, which is 1
 * for a class in at least a thousandth of the images and rises with the root of its rarity. "balanced": as if a class were
 * drawn first, each as likely, and then one of its images. Images without objects keep their share in both.
 */
export function imageWeights(resampling: Resampling, samples: readonly Sample[]): number[] {
  const classesOf = samples.map(({ annotations }) => [
    ...new Set(annotations.filter(({ crowd }) => !crowd).map(({ label }) => label)),
  ]);
  const imagesOf = new Map<number, number>();
  for (const label of classesOf.flat()) imagesOf.set(label, (imagesOf.get(label) ?? 0) + 1);
  if (resampling === "repeat-factor") {
    const factor = (label: number) => Math.sqrt((RARE_SHARE * samples.length) / imagesOf.get(label)!);
    return classesOf.map((labels) => Math.max(1, ...labels.map(factor)));
  }
  const labelled = classesOf.filter((labels) => labels.length > 0).length;
  const share = labelled / Math.max(1, imagesOf.size); // so that the weights of images with objects are 1 on average
  return classesOf.map((labels) =>
    labels.length === 0 ? 1 : labels.reduce((sum, label) => sum + share / imagesOf.get(label)!, 0),
  );
}

/** What re-sampling does to these images, for people. */
export function describeResampling(resampling: Resampling, samples: readonly Sample[]): Fact {
  const weights = imageWeights(resampling, samples);
  const mean = weights.reduce((a, b) => a + b, 0) / weights.length;
  const [least, most] = [Math.min, Math.max].map((f) => (weights.reduce((a, b) => f(a, b)) / mean).toFixed(2));
  const unchanged = resampling === "repeat-factor" && least === most;
  const value = unchanged
    ? "repeat-factor changes nothing here: no class is in less than a thousandth of the images"
    : `${resampling}, an epoch shows an image ${least} to ${most} times on average`;
  return { name: "Re-sampling", value };
}
