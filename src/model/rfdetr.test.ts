import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { random } from "../../tests/support/gradients.ts";
import { type Architecture, VARIANTS } from "../architecture/variants.ts";
import { leafShapes } from "../architecture/weights/table.ts";
import { loadBackend } from "../engine/backend.ts";
import { valueAndGradients } from "../ops/differentiable.ts";
import { size } from "../util/hostTensor.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import { flatten } from "../util/tree.ts";
import { dropPathMasks } from "./dropPath.ts";
import { maskLogits } from "./heads/masks.ts";
import { uploadPadding } from "./padding.ts";
import { levelSizes } from "./projector.ts";
import { type ForwardOptions, type RfdetrWeights, rfdetr } from "./rfdetr.ts";
import { uploadWeights } from "./weights.ts";

const architecture: Architecture = {
  ...VARIANTS.nano,
  encoder: { hiddenSize: 24, numAttentionHeads: 3, numHiddenLayers: 4, mlpRatio: 2 },
  outFeatureIndexes: [2, 4],
  patchSize: 8,
  numWindows: 2,
  positionalEncodingSize: 6,
  resolution: 64,
  hiddenDim: 16,
  saNheads: 2,
  caNheads: 4,
  dimFeedforward: 20,
  numQueries: 7,
  groupDetr: 3,
  numClasses: 3,
};

/** What two images' windows are multiplied by. */
const masksOf = (rates: number[], seed: number) =>
  dropPathMasks({ rates, rng: rngFromSeed(seed) }, architecture, { images: 2 });

function weightsOf(trains: (path: string) => boolean, of = architecture): RfdetrWeights {
  const rng = rngFromSeed(5);
  const leaves = [...leafShapes(of)].map(([path, shape]) => {
    const scale = shape.length > 1 ? 1 / Math.sqrt(shape.at(-2)!) : 0.3;
    const data = Float32Array.from({ length: size(shape) }, () => rng.normal() * scale);
    return [path, { shape, data }] as const;
  });
  return uploadWeights(new Map(leaves), trains);
}

/** Loss and gradients by path, as bytes. */
function gradientsOf(
  weights: RfdetrWeights,
  options: Omit<ForwardOptions, "training">,
  of = architecture,
): Map<string, Buffer> {
  const variables = flatten<tf.Tensor>(weights).filter(([, leaf]) => leaf instanceof tf.Variable);
  const images = random([2, 64, 64, 3], 3) as tf.Tensor4D;
  const { loss, gradients } = valueAndGradients(
    variables.map(([, leaf]) => leaf),
    () => {
      const { layers, encoder } = rfdetr(weights, of, images, { ...options, training: true });
      const parts = [...layers, encoder].flatMap(({ logits, boxes, masks }) => [
        ...[tf.sin(logits), boxes],
        ...(masks ? [tf.sin(maskLogits(masks))] : []),
      ]);
      return { loss: tf.addN(parts.map((part) => tf.mean(part))) as tf.Scalar, extra: {} };
    },
  );
  const bytes = (x: tf.Tensor) => Buffer.from(Float32Array.from(x.dataSync()).buffer);
  const named = variables.flatMap(([path], i) => (gradients[i] ? [[path, bytes(gradients[i])] as const] : []));
  const result = new Map([["loss", bytes(loss)], ...named]);
  tf.dispose([images, loss, ...(gradients.filter(Boolean) as tf.Tensor[])]);
  return result;
}

const mask = new Uint8Array(2 * 64 * 64).map((_, i) => (i >= 64 * 64 && i % 64 >= 48 ? 1 : 0));
const padding = () => uploadPadding({ mask, shape: [2, 64, 64] }, levelSizes(architecture, [64, 64]));

beforeAll(() => void loadBackend());

describe("gradient checkpointing", () => {
  test.each(["backbone", "decoder", "all"] as const)(
    "%s gives the same loss and gradients to the bit",
    (checkpointing) => {
      const weights = weightsOf(() => true);
      for (const extra of [{}, { padding: padding() }]) {
        const plain = gradientsOf(weights, extra);
        const recomputed = gradientsOf(weights, { ...extra, checkpointing });
        expect([...recomputed.keys()]).toEqual([...plain.keys()]);
        for (const [path, bytes] of plain) expect(recomputed.get(path)!.equals(bytes), path).toBe(true);
      }
    },
  );

  test("also of a segmenter", () => {
    const segmenter = { ...architecture, segmentationHead: true };
    const weights = weightsOf(() => true, segmenter);
    const plain = gradientsOf(weights, {}, segmenter);
    const recomputed = gradientsOf(weights, { checkpointing: "all" }, segmenter);
    expect(plain.has("heads.mask.blocks.0.depthwise.weight")).toBe(true);
    for (const [path, bytes] of plain) expect(recomputed.get(path)!.equals(bytes), path).toBe(true);
  });

  test("also with dropped paths", () => {
    const weights = weightsOf(() => true);
    const options = () => ({ dropPath: masksOf([0, 0.3, 0.5, 0.7], 1) });
    const plain = gradientsOf(weights, options());
    const recomputed = gradientsOf(weights, { ...options(), checkpointing: "all" });
    for (const [path, bytes] of plain) expect(recomputed.get(path)!.equals(bytes), path).toBe(true);
  });

  test("leaves no tensor behind", () => {
    const weights = weightsOf(() => true);
    const padded = padding();
    gradientsOf(weights, { checkpointing: "all", padding: padded });
    const before = tf.memory().numTensors;
    gradientsOf(weights, { checkpointing: "all", padding: padded });
    gradientsOf(weights, { checkpointing: "none", padding: padded });
    expect(tf.memory().numTensors).toBe(before);
  });
});

test("a single decoder layer has gradients, too", () => {
  const one = { ...architecture, decLayers: 1 };
  const gradients = gradientsOf(
    weightsOf(() => true, one),
    {},
    one,
  );
  expect([...gradients.keys()].some((path) => path.startsWith("decoder.layers.0."))).toBe(true);
});

describe("frozen weights", () => {
  const frozen: [string, (path: string) => boolean][] = [
    ["the encoder", (path) => path.startsWith("backbone.")],
    ["the encoder's lower half", (path) => /^backbone\.(embeddings|blocks\.[01])\b/.test(path)],
    ["all but the heads", (path) => !path.startsWith("heads.")],
  ];
  test.each(frozen)("with %s frozen, the gradients of the rest stay the same to the bit", (_name, isFrozen) => {
    const all = gradientsOf(
      weightsOf(() => true),
      {},
    );
    for (const checkpointing of ["none", "all"] as const) {
      const some = gradientsOf(
        weightsOf((path) => !isFrozen(path)),
        { checkpointing },
      );
      const expected = [...all.keys()].filter((path) => path === "loss" || !isFrozen(path));
      expect([...some.keys()]).toEqual(expected);
      for (const [path, bytes] of some) expect(bytes.equals(all.get(path)!), path).toBe(true);
    }
  });
});

describe("drop path", () => {
  const images = () => random([2, 64, 64, 3], 3) as tf.Tensor4D;
  const logits = (options: ForwardOptions) => [
    ...rfdetr(
      weightsOf(() => false),
      architecture,
      images(),
      options,
    )
      .layers.at(-1)!
      .logits.dataSync(),
  ];

  test("changes nothing in evaluation, and nothing at rate 0", () => {
    const dropped = masksOf([0.9, 0.9, 0.9, 0.9], 1);
    expect(logits({ training: false, dropPath: dropped })).toEqual(logits({ training: false }));
    expect(logits({ training: true, dropPath: masksOf([0, 0, 0, 0], 1) })).toEqual(logits({ training: true }));
  });

  test("depends on the stream's seed alone", () => {
    const at = (seed: number) => logits({ training: true, dropPath: masksOf([0.5, 0.5, 0.5, 0.5], seed) });
    expect(at(1)).toEqual(at(1));
    expect(at(1)).not.toEqual(at(2));
  });
});
