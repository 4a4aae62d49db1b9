import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TINY, tinyWeights } from "../../tests/tinyModel.ts";
import { referenceKeys } from "../architecture/weights/table.ts";
import { writeWeightsFile } from "../checkpoint/weightsFile.ts";
import { initialise } from "../model/init.ts";
import { UserError } from "../util/errors.ts";
import { toFloat32 } from "../util/hostTensor.ts";
import { startingWeights } from "./startingWeights.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "start-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const row = (values: Float32Array, i: number) => [...values.subarray(i * TINY.hiddenDim, (i + 1) * TINY.hiddenDim)];

test("heads: transplant keeps the rows of the classes that both have; keep-first takes rows as they come", async () => {
  const path = join(dir, "own.safetensors");
  const weights = tinyWeights(11);
  await writeWeightsFile(path, weights, { classNames: ["birch", "oak"] });
  const wanted = { ...TINY, numClasses: 3 };
  const classNames = ["Oak", "ash", "birch"];
  const old = toFloat32(weights.get("class_embed.weight")!);

  const { tensors, facts } = await startingWeights(path, wanted, { seed: 3, heads: "transplant", classNames });
  const kept = toFloat32(tensors.get("class_embed.weight")!);
  const drawn = toFloat32(initialise(referenceKeys(wanted), 3, wanted).get("class_embed.weight")!);
  expect([0, 1, 2, 3].map((i) => row(kept, i))).toEqual([row(old, 1), row(drawn, 1), row(old, 0), row(old, 2)]);
  expect(tensors.get("transformer.enc_out_class_embed.2.bias")!.shape).toEqual([4]);
  expect(facts[1]).toEqual({ name: "Class heads", value: "kept those of Oak, birch; from scratch: ash" });

  const first = await startingWeights(path, wanted, { seed: 3, heads: "keep-first", classNames });
  expect(row(toFloat32(first.tensors.get("class_embed.weight")!), 0)).toEqual(row(old, 0));
  expect(first.facts).toHaveLength(1);
});

test("weights with 91 logits and no names have COCO's classes, each at its category id", async () => {
  const path = join(dir, "coco.pth");
  const coco = { ...TINY, numClasses: 90 };
  const weights = initialise(referenceKeys(coco), 5, coco);
  await writeWeightsFile(path, weights);
  const options = { seed: 3, heads: "transplant" as const, classNames: ["toothbrush", "tree"] };
  const { tensors, facts } = await startingWeights(path, TINY, options);
  const old = toFloat32(weights.get("class_embed.weight")!);
  const kept = toFloat32(tensors.get("class_embed.weight")!);
  expect(row(kept, 0)).toEqual(row(old, 90));
  expect(facts[1]).toEqual({ name: "Class heads", value: "kept those of toothbrush; from scratch: tree" });
});

test("heads: transplant fails where the weights do not name their classes", async () => {
  const path = join(dir, "nameless.safetensors");
  await writeWeightsFile(path, tinyWeights());
  const failed = startingWeights(path, TINY, { seed: 3, heads: "transplant", classNames: ["oak", "ash"] });
  await expect(failed).rejects.toThrow(UserError);
  await expect(failed).rejects.toThrow(/does not say the names of its classes/);
});

test("a path that leads nowhere is told as one, and a name as a name", async () => {
  const start = (weights: string) =>
    startingWeights(weights, TINY, { seed: 3, heads: "keep-first", classNames: ["oak"] });
  await expect(start("/other/machine/best.pth")).rejects.toMatchObject({
    message: "weights: there is nothing at /other/machine/best.pth.",
    hint: expect.stringContaining("moved here from another machine"),
  });
  await expect(start("rf-detr-nan")).rejects.toThrow(
    'no published weights "rf-detr-nan". Did you mean "rf-detr-nano"?',
  );
});

test("a segmenter starts from a detector but for its mask head, and a detector from a segmenter without it; both are said", async () => {
  const segmenter = { ...TINY, segmentationHead: true };
  const options = { seed: 3, heads: "keep-first" as const, classNames: ["oak", "ash"] };
  const detectorFile = join(dir, "detector.pth");
  const weights = tinyWeights(11);
  await writeWeightsFile(detectorFile, weights);
  const { tensors, facts } = await startingWeights(detectorFile, segmenter, options);
  const drawn = initialise(referenceKeys(segmenter), 3, segmenter);
  const head = [...drawn.keys()].filter((name) => name.startsWith("segmentation_head."));
  expect(head.length).toBe(6 * TINY.decLayers + 11);
  for (const name of head) expect(tensors.get(name)).toEqual(drawn.get(name));
  expect(tensors.get("query_feat.weight")).toEqual(weights.get("query_feat.weight"));
  expect(facts[1]).toEqual({ name: "Mask head", value: "from scratch: the weights are those of a detector" });

  const segmenterFile = join(dir, "segmenter.pth");
  await writeWeightsFile(segmenterFile, tensors);
  const back = await startingWeights(segmenterFile, TINY, options);
  expect([...back.tensors.keys()].some((name) => name.startsWith("segmentation_head."))).toBe(false);
  expect(back.facts[1]).toEqual({ name: "Mask head", value: "left out: the model is a detector" });
  expect((await startingWeights(segmenterFile, segmenter, options)).facts).toHaveLength(1);
});
