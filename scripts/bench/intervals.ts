// `npm run bench:intervals`: how often promised precision and recall hold on other images. Sets of scores with a known truth, or
// what a model has found: `-- PREDICTIONS.json ANNOTATIONS.json ...`, whose images are parted at random into halves 20 times: thresholds
// and promise are of one half, and the other says whether it is kept. Fails where fewer than 17 of 20 are. Masks count where there are any.

import { compareMasks } from "../../src/eval/maskAp.ts";
import { countScores, type Objects } from "../../src/eval/operating/counts.ts";
import { measureAt } from "../../src/eval/operating/measureAt.ts";
import { operatingPoint } from "../../src/eval/operating/operatingPoint.ts";
import { readAnnotations, readResults, resultsHaveMasks } from "../../src/eval/results.ts";
import { confirm } from "../../src/instance/operating/confirm.ts";
import type { OperatingRule } from "../../src/instance/operating/point.ts";
import { rngFromSeed } from "../../src/util/random/rng.ts";
import { syntheticScores } from "../../tests/support/syntheticScores.ts";

const RULES: OperatingRule[] = [
  { by: "best-f1", at: null },
  { by: "precision", at: 0.9 },
  { by: "recall", at: 0.8 },
];
const SHARES = ["precision", "recall"] as const;

/** Of splits, the share in which a promise has to be kept. */
const LEAST = 17 / 20;

type Side = { objects: Objects; images: number };

const files = process.argv.slice(2);
if (files.length % 2 !== 0) throw new Error("Give PREDICTIONS.json and ANNOTATIONS.json in turn.");
for (let i = 0; i < files.length; i += 2) {
  const { name, sides } = await halves(files[i]!, files[i + 1]!);
  show(name, 20, sides);
}
if (files.length === 0)
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

/** The images of a results file, parted anew for each split. */
async function halves(predictions: string, annotations: string) {
  const masks = await resultsHaveMasks(predictions);
  const truth = await readAnnotations(annotations, { masks });
  const { detections, numberOf } = await readResults(predictions, truth);
  const numbered = <Of extends { imageId: number }>(list: readonly Of[]) => list.map((one) => ({ ...one, imageId: numberOf(one.imageId) })); // biome-ignore format: one line
  const all = {
    groundTruths: numbered(truth.groundTruths),
    detections: numbered(detections),
    categories: truth.categories,
    ...(masks && { compare: compareMasks }),
  };
  const ids = [...truth.imageIds].map((id) => numberOf(id));
  const part = (images: number[]): Side => {
    const chosen = new Set(images);
    const of = <Of extends { imageId: number }>(list: readonly Of[]) =>
      list.filter(({ imageId }) => chosen.has(imageId));
    const objects = { ...all, groundTruths: of(all.groundTruths), detections: of(all.detections) };
    return { images: images.length, objects };
  };
  const kind = masks ? "masks" : "boxes";
  return {
    name: `${predictions}: ${all.groundTruths.length} ${kind} in ${ids.length} images, two halves`,
    sides: (split: number): [Side, Side] => {
      const shuffled = rngFromSeed(split).shuffle([...ids]);
      const half = Math.ceil(ids.length / 2);
      return [part(shuffled.slice(0, half)), part(shuffled.slice(half))];
    },
  };
}

function show(name: string, splits: number, sides: (split: number) => [Side, Side]): void {
  console.log(name);
  for (const rule of RULES) {
    const [held, width] = [
      { precision: 0, recall: 0 },
      { precision: 0, recall: 0 },
    ];
    for (let split = 0; split < splits; split++) {
      const [chosenOn, other] = sides(split);
      const classes = chosenOn.objects.categories.map(({ id }, label) => ({ label, categoryId: id }));
      const { images } = chosenOn;
      const point = operatingPoint(countScores(chosenOn.objects), { rule, classes, images, seed: split });
      if (!point) continue;
      const found = confirm(point, measureAt(point, countScores(other.objects), classes), other.images);
      for (const key of SHARES) {
        held[key] += Number(found[key]?.held ?? false);
        width[key] += found[key] ? found[key].high - found[key].low : 0;
      }
    }
    const text = SHARES.map((key) => `${key} held in ${held[key]} of ${splits} (mean width ${(width[key] / splits).toFixed(3)})`); // biome-ignore format: one line
    const few = SHARES.some((key) => held[key] < LEAST * splits);
    if (few) process.exitCode = 1;
    console.log(`  ${rule.by}${rule.at === null ? "" : ` ${rule.at}`}: ${text.join(", ")}${few ? ": TOO FEW" : ""}`);
  }
}
