// `npm run bench:intervals`: how often promised precision and recall hold on other images. Sets of scores with a known truth, or
// a run's own: `-- PREDICTIONS.json ANNOTATIONS.json`, whose images are then parted at random into halves, one to choose on.

import { countScores, type Objects } from "../../src/eval/operating/counts.ts";
import { measureAt } from "../../src/eval/operating/measureAt.ts";
import { operatingPoint } from "../../src/eval/operating/operatingPoint.ts";
import { readAnnotations, readResults } from "../../src/eval/results.ts";
import { confirm } from "../../src/instance/operating/confirm.ts";
import type { OperatingRule } from "../../src/instance/operating/point.ts";
import { rngFromSeed } from "../../src/util/random/rng.ts";
import { syntheticScores } from "../../tests/support/syntheticScores.ts";

const RULES: OperatingRule[] = [
  { by: "best-f1", at: null },
  { by: "precision", at: 0.9 },
  { by: "recall", at: 0.8 },
];

type Side = { objects: Objects; images: number };

const [predictions, annotations] = process.argv.slice(2);
if (predictions && annotations) {
  const truth = await readAnnotations(annotations, { masks: false });
  const { detections, numberOf } = await readResults(predictions, truth);
  const numbered = <Of extends { imageId: number }>(list: readonly Of[]) => list.map((one) => ({ ...one, imageId: numberOf(one.imageId) })); // biome-ignore format: one line
  const all = {
    groundTruths: numbered(truth.groundTruths),
    detections: numbered(detections),
    categories: truth.categories,
  };
  const ids = [...truth.imageIds].map((id) => numberOf(id));
  const part = (images: number[]): Side => {
    const chosen = new Set(images);
    const of = <Of extends { imageId: number }>(list: readonly Of[]) =>
      list.filter(({ imageId }) => chosen.has(imageId));
    return {
      images: images.length,
      objects: { ...all, groundTruths: of(all.groundTruths), detections: of(all.detections) },
    };
  };
  show(`${predictions}, ${ids.length} images in two halves`, 20, (split) => {
    const shuffled = rngFromSeed(split).shuffle([...ids]);
    const half = Math.ceil(ids.length / 2);
    return [part(shuffled.slice(0, half)), part(shuffled.slice(half))];
  });
} else {
  for (const [images, test] of [
    [20, 20],
    [60, 60],
    [60, 15],
    [60, 240],
    [250, 250],
  ] as const)
    show(`${images} synthetic images to choose on, ${test} others`, 100, (split) => [
      { images, objects: syntheticScores(images, split) },
      { images: test, objects: syntheticScores(test, 1e6 + split) },
    ]);
}

function show(name: string, splits: number, sides: (split: number) => [Side, Side]): void {
  for (const rule of RULES) {
    const [held, width] = [
      { precision: 0, recall: 0 },
      { precision: 0, recall: 0 },
    ];
    for (let split = 0; split < splits; split++) {
      const [chosenOn, other] = sides(split);
      const classes = chosenOn.objects.categories.map(({ id, name }, label) => ({ label, categoryId: id, name }));
      const point = operatingPoint(countScores(chosenOn.objects), {
        rule,
        classes,
        images: chosenOn.images,
        seed: split,
      });
      if (!point) continue;
      const found = confirm(point, measureAt(point, countScores(other.objects), classes), other.images);
      for (const key of ["precision", "recall"] as const) {
        held[key] += Number(found[key]?.held ?? false);
        width[key] += found[key] ? found[key].high - found[key].low : 0;
      }
    }
    const text = (["precision", "recall"] as const).map((key) => `${key} held in ${held[key]} of ${splits} (mean width ${(width[key] / splits).toFixed(3)})`); // biome-ignore format: one line
    console.log(`${name}, ${rule.by}${rule.at === null ? "" : ` ${rule.at}`}: ${text.join(", ")}`);
  }
}
