// Detections and objects of pictures that never were: hard and easy ones, crowded and empty ones, a common class and a rarer one.

import type { Objects } from "../../src/eval/operating/counts.ts";
import { rngFromSeed } from "../../src/util/random/rng.ts";

/** The same seed gives the same; each image is a draw by itself, so two seeds are two splits of one kind. */
export function syntheticScores(images: number, seed: number): Objects {
  const rng = rngFromSeed(seed, 0x73796e);
  const groundTruths: Objects["groundTruths"][number][] = [];
  const detections: Objects["detections"][number][] = [];
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  for (let imageId = 1; imageId <= images; imageId++) {
    const ease = 0.7 * rng.normal(); // what the objects of a picture have in common
    const objects = rng.int(4) === 0 ? 0 : rng.int(14);
    for (let i = 0; i < objects; i++) {
      const categoryId = rng.int(4) === 0 ? 2 : 1;
      const bbox = [100 * i, 0, 50, 50] as const;
      groundTruths.push({ imageId, categoryId, bbox });
      if (rng.uniform() < 0.9)
        detections.push({ imageId, categoryId, bbox, score: sigmoid(0.3 + ease + rng.normal()) });
    }
    for (let i = 0; i < 12; i++) {
      const categoryId = 1 + rng.int(2);
      const bbox = [100 * i, 5000, 50, 50] as const;
      detections.push({ imageId, categoryId, bbox, score: sigmoid(-2 - 0.5 * ease + rng.normal()) });
    }
  }
  const categories = ["common", "rare"].map((name, i) => ({ id: i + 1, name }));
  return { groundTruths, detections, categories };
}
