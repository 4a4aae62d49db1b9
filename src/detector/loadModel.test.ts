import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TINY, tinyWeights } from "../../tests/tinyModel.ts";
import { toFields } from "../architecture/fields.ts";
import { referenceKeys } from "../architecture/weights/table.ts";
import { linkCheckpoint } from "../checkpoint/store/links.ts";
import { saveCheckpoint } from "../checkpoint/store/store.ts";
import { toText, type WeightsMetadata, writeWeightsFile } from "../checkpoint/weightsFile.ts";
import { loadBackend } from "../engine/backend.ts";
import { initialise } from "../model/init.ts";
import { resolveRecipe } from "../recipe/load.ts";
import { flatten } from "../util/tree.ts";
import { type LoadModelOptions, loadModel, type Model } from "./loadModel.ts";

const modelConfig = toFields(TINY) as Record<string, number>;
const SAID: WeightsMetadata = { modelConfig, classNames: ["cat", "dog"], categoryIds: [4, 9] };

let folder: string;
let tensors: number;
beforeAll(async () => {
  loadBackend();
  folder = await mkdtemp(join(tmpdir(), "model-"));
  tensors = tf.memory().numTensors;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the model is, and one of its weights; it is freed. */
async function look(
  weights: string,
  options: LoadModelOptions = {},
): Promise<Omit<Model, "weights"> & { bias: number }> {
  const { weights: tree, ...rest } = await loadModel(weights, options);
  const leaves = flatten<tf.Tensor>(tree);
  expect(leaves.every(([, leaf]) => !(leaf instanceof tf.Variable))).toBe(true);
  const bias = leaves.find(([path]) => path === "backbone.embeddings.classToken")![1].dataSync()[0]!;
  rest.dispose();
  expect(tf.memory().numTensors).toBe(tensors);
  return { ...rest, bias };
}

/** The class token's first value of generated weights. */
function biasOf(seed: number): number {
  const { bytes } = tinyWeights(seed).get("backbone.0.encoder.encoder.embeddings.cls_token")!;
  return new Float32Array(bytes.buffer, bytes.byteOffset, 1)[0]!;
}

it("a run is its best checkpoint, and the average where there is one", async () => {
  const dir = join(folder, "run", "checkpoints");
  const rest = { epochEnd: true, state: {}, metadata: toText(SAID) };
  const first = { ...rest, epoch: 0, step: 5, score: 0.5, tensors: { model: tinyWeights(1), ema: tinyWeights(2) } };
  const best = await saveCheckpoint(dir, first);
  const last = await saveCheckpoint(dir, {
    ...rest,
    epoch: 1,
    step: 9,
    score: 0.1,
    tensors: { model: tinyWeights(3) },
  });
  await linkCheckpoint(dir, "last", last);
  expect(await look(join(folder, "run"))).toMatchObject({
    bias: biasOf(3),
    source: `${join(dir, "last")} (weights)`,
    classes: [
      { name: "cat", categoryId: 4, label: 0 },
      { name: "dog", categoryId: 9, label: 1 },
    ],
    architecture: TINY,
  });
  await linkCheckpoint(dir, "best", best);
  expect(await look(join(folder, "run"))).toMatchObject({
    bias: biasOf(2),
    source: `${join(dir, "best")} (averaged weights)`,
  });
  expect((await look(dir)).bias).toBe(biasOf(2));
  expect((await look(join(dir, last))).bias).toBe(biasOf(3));
  expect((await look(join(dir, last, "model.safetensors"))).bias).toBe(biasOf(3));

  await appendFile(join(dir, best, "ema.safetensors"), "x");
  await expect(loadModel(join(folder, "run"))).rejects.toMatchObject({
    message: expect.stringMatching(/best\/ema\.safetensors is damaged/),
    hint: `The newest intact checkpoint is ${join(dir, last)}.`,
  });
});

it("classes without names are called by their numbers; 91 logits without names are COCO's", async () => {
  const path = join(folder, "unnamed.pth");
  await writeWeightsFile(path, tinyWeights(), { modelConfig });
  expect((await look(path)).classes).toEqual([
    { name: "class 0", categoryId: 0, label: 0 },
    { name: "class 1", categoryId: 1, label: 1 },
  ]);
  const coco = { ...TINY, numClasses: 90 };
  const weights = initialise(referenceKeys(coco), 1, coco);
  // what the file says of the number of classes gives way to what its tensors show, as in the reference's files
  await writeWeightsFile(path, weights, { modelConfig: { ...modelConfig, num_classes: 80 } });
  const { classes, architecture } = await look(path);
  expect(architecture.numClasses).toBe(90);
  expect(classes).toHaveLength(80);
  expect(classes[79]).toEqual({ name: "toothbrush", categoryId: 90, label: 90 });
});

it("weights that say nothing take their architecture from the recipe", async () => {
  const path = join(folder, "bare.safetensors");
  await writeWeightsFile(path, tinyWeights());
  await expect(loadModel(path)).rejects.toMatchObject({
    message: expect.stringContaining("says nothing of its architecture"),
    hint: expect.stringContaining("--recipe"),
  });
  const { num_classes: _, ...fields } = modelConfig;
  const model = { ...fields, variant: "custom" } as never;
  const recipe = resolveRecipe({ name: "tiny", model, data: { dir: "d" } });
  expect((await look(path, { recipe })).architecture).toEqual(TINY);
  const nano = resolveRecipe({ name: "nano", model: { variant: "nano" }, data: { dir: "d" } });
  await expect(loadModel(path, { recipe: nano })).rejects.toThrow("bare.safetensors does not fit this model");
});

it("what is no model is told in words", async () => {
  await expect(loadModel("rf-detr-nanoo")).rejects.toThrow(
    "There are no weights rf-detr-nanoo. Did you mean rf-detr-nano?",
  );
  await expect(loadModel(folder)).rejects.toThrow(`The folder ${folder} holds no checkpoint.`);
  const path = join(folder, "part.safetensors");
  const part = tinyWeights();
  part.delete("class_embed.weight");
  part.delete("query_feat.weight");
  await writeWeightsFile(path, part, SAID);
  await expect(loadModel(path)).rejects.toThrow(
    `${path} is not complete: the model needs class_embed.weight and 1 more.`,
  );
  expect(tf.memory().numTensors).toBe(tensors);
});
