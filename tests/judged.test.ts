// What a page makes of pictures at any confidence is what the trainer counts.

import { readFile } from "node:fs/promises";
import typescript from "typescript";
import { expect, test } from "vitest";
import type { Detection, GroundTruth } from "../src/eval/boxMatching.ts";
import { cocoAp } from "../src/eval/cocoAp.ts";
import { evaluationDetails } from "../src/eval/details.ts";
import { browsedObjects } from "../src/eval/errors/browsed.ts";
import type { BrowsedObjects } from "../src/run/records/browser.ts";
import { rngFromSeed } from "../src/util/random/rng.ts";

type Item = { kind: string; truth?: number; taken?: number };
type Judge = (picture: BrowsedObjects, least: number) => Item[];

/** The function of the page's script, which leaves nothing in any scope but its own. */
async function pageJudge(): Promise<Judge> {
  const source = await readFile(new URL("../src/report/charts/judged.ts", import.meta.url), "utf8");
  const { outputText } = typescript.transpileModule(`const page = {};\n${source}\nreturn judge;`, {
    compilerOptions: { target: typescript.ScriptTarget.ES2022 },
  });
  return new Function(outputText)() as Judge;
}

const categories = [7, 3, 12].map((id) => ({ id, name: `class ${id}` }));

function randomEvaluation(seed: number) {
  const rng = rngFromSeed(seed);
  const [groundTruths, detections]: [GroundTruth[], Detection[]] = [[], []];
  const box = () => [rng.int(60), rng.int(60), 5 + rng.int(40), 5 + rng.int(40)] as const;
  for (let imageId = 1; imageId <= 6; imageId++)
    for (let i = rng.int(7); i > 0; i--) {
      const truth = { imageId, categoryId: categories[rng.int(3)]!.id, bbox: box(), isCrowd: rng.uniform() < 0.1 };
      groundTruths.push(truth);
      for (let k = rng.int(4); k > 0; k--) {
        const bbox = truth.bbox.map((v) => Math.max(1, v + rng.int(9) - 4)) as unknown as Detection["bbox"];
        const categoryId = rng.uniform() < 0.6 ? truth.categoryId : categories[rng.int(3)]!.id;
        detections.push({ imageId, categoryId, bbox: rng.uniform() < 0.8 ? bbox : box(), score: rng.uniform() });
      }
    }
  return { groundTruths, detections, categories };
}

test("the confusion matrix of a page's pictures is that of the evaluation, at any confidence", async () => {
  const judge = await pageJudge();
  const kinds = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    const all = randomEvaluation(seed);
    const { pictures } = browsedObjects(all, [1, 2, 3, 4, 5, 6]);
    for (const threshold of [0.05, 0.29, 0.57, 0.83]) {
      const f1 = { threshold, f1: 1, precision: 1, recall: 1 };
      const { confusion } = evaluationDetails({ ...cocoAp(all), f1, f1Sweep: [], images: 6, broken: [], ...all });
      const counts = confusion.counts.map((row) => row.map(() => 0));
      for (const picture of pictures)
        for (const { kind, truth = 3, taken = 3 } of judge(picture, threshold)) {
          kinds.add(kind);
          counts[truth]![taken]!++;
        }
      expect(counts, `seed ${seed}, confidence ${threshold}`).toEqual(confusion.counts);
    }
  }
  expect([...kinds].sort()).toEqual(["alarm", "class", "hit", "miss", "place"]);
});

test("of very many detections the least confident are left out, and what is left counts from a confidence that is named", () => {
  const detections = Array.from({ length: 13_000 }, (_, i): Detection => {
    return { imageId: 1 + (i % 2), categoryId: 7, bbox: [i % 90, 1, 5, 5], score: i / 13_000 };
  });
  const { floor, pictures } = browsedObjects({ groundTruths: [], detections, categories }, [1, 2]);
  const kept = pictures.flatMap((picture) => picture.detections);
  expect(kept.length).toBeLessThanOrEqual(12_000);
  expect(kept.length).toBe(detections.filter(({ score }) => score >= floor).length);
  expect(browsedObjects({ groundTruths: [], detections, categories }, [3]).pictures).toEqual([
    { truths: [], detections: [] },
  ]);
});
