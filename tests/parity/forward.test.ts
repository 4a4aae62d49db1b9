import { readdirSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { toLeaves } from "../../src/checkpoint/names.ts";
import { loadBackend } from "../../src/engine/backend.ts";
import { backbone } from "../../src/model/backbone.ts";
import { maskLogits } from "../../src/model/heads/masks.ts";
import { projector } from "../../src/model/projector.ts";
import { rfdetr } from "../../src/model/rfdetr.ts";
import { uploadWeights } from "../../src/model/weights.ts";
import { withPrecision } from "../../src/ops/bf16/precision.ts";
import { flatten } from "../../src/util/tree.ts";
import {
  type ArchitectureName,
  architectureOf,
  type Changed,
  channelsLast,
  farthest,
  paddingOf,
  readFixture,
  values,
  weightsOf,
} from "./fixtures.ts";
import { generatedImages, type ImageSpec } from "./generatedWeights.ts";

/** Logits and boxes may differ by this much from the reference's; its own float32 and float64 differ by up to 1e-5. */
const BOUND = 1e-4;
/** Likewise for the logits of masks, up to 40 in size; the reference's own differ by up to 1e-4. Of every so many queries they are kept. */
const MASK_BOUND = 1e-3;
const MASK_EVERY = 13;

type About = ImageSpec & {
  architecture: ArchitectureName;
  changed: Changed;
  floor: Record<string, number>;
};

const cases = readdirSync(new URL("../fixtures/parity/eval", import.meta.url)).map((file) => file.split(".")[0]!);

beforeAll(() => void loadBackend());

it("the encoder and the projector give the reference's feature maps", async () => {
  const { about, tensor } = await readFixture<About>("eval/tiny-native");
  const architecture = architectureOf(about.architecture);
  const weights = uploadWeights(toLeaves(weightsOf(architecture, about.seed), architecture), () => false);
  const shape = [about.batch, ...about.size] as [number, number, number];
  const images = tf.tensor4d(channelsLast(generatedImages("images", about), shape), [...shape, 3]);
  const features = backbone(weights.backbone, architecture, images);
  const maps = projector(weights.projector, architecture, features);
  for (const [stage, list] of Object.entries({ encoder: features, projector: maps }))
    for (const [i, map] of list.entries()) {
      const channelsFirst = tf.transpose(map, [0, 3, 1, 2]);
      expect(channelsFirst.shape).toEqual(tensor(`${stage}.${i}`).shape);
      expect(farthest(channelsFirst.dataSync(), values(tensor(`${stage}.${i}`))), `${stage} ${i}`).toBeLessThan(BOUND);
    }
});

it("in bfloat16 the maps are about as far from float32's as the reference's under autocast", async () => {
  const { about, tensor } = await readFixture<About>("eval/tiny-native");
  const architecture = architectureOf(about.architecture);
  const weights = uploadWeights(toLeaves(weightsOf(architecture, about.seed), architecture), () => false);
  const shape = [about.batch, ...about.size] as [number, number, number];
  const images = tf.tensor4d(channelsLast(generatedImages("images", about), shape), [...shape, 3]);
  const [features, maps] = withPrecision("bf16", () => {
    const list = backbone(weights.backbone, architecture, images);
    return [list, projector(weights.projector, architecture, list)];
  });
  // torch.autocast("cpu", torch.bfloat16): 0.0043, 0.0055, 0.0059 and 0.0060 of the encoder's, 0.0098 of the projector's
  const bounds = { encoder: [0.006, 0.008, 0.008, 0.008], projector: [0.012] };
  for (const [stage, list] of Object.entries({ encoder: features, projector: maps }))
    for (const [i, map] of list.entries()) {
      const expected = tf.tensor(values(tensor(`${stage}.${i}`)), tensor(`${stage}.${i}`).shape);
      const share = tf.div(tf.norm(tf.sub(tf.transpose(map, [0, 3, 1, 2]), expected)), tf.norm(expected));
      expect(share.dataSync()[0], `${stage} ${i}`).toBeLessThan(bounds[stage as keyof typeof bounds][i]!);
      expect(share.dataSync()[0], `${stage} ${i}`).toBeGreaterThan(1e-3);
    }
});

describe.each(cases)("the evaluation forward of %s", (name) => {
  it("gives the reference's logits, boxes and masks", async () => {
    const { about, tensor, names } = await readFixture<About>(`eval/${name}`);
    const architecture = architectureOf(about.architecture, about.changed);
    const leaves = toLeaves(weightsOf(architecture, about.seed), architecture);
    const before = tf.memory().numTensors;
    const weights = uploadWeights(leaves, () => false);
    const { layers, encoder } = tf.tidy(() => {
      const shape = [about.batch, ...about.size] as [number, number, number];
      const images = tf.tensor4d(channelsLast(generatedImages("images", about), shape), [...shape, 3]);
      return rfdetr(weights, architecture, images, { training: false, padding: paddingOf(about, architecture) });
    });
    const expectClose = (ours: tf.Tensor, key: string) => {
      expect(ours.shape, key).toEqual(tensor(key).shape);
      expect(farthest(ours.dataSync(), values(tensor(key))), key).toBeLessThan(BOUND);
    };
    expectClose(encoder.logits, "enc_logits");
    expectClose(encoder.boxes, "enc_boxes");
    expectClose(layers.at(-1)!.logits, "pred_logits");
    expectClose(layers.at(-1)!.boxes, "pred_boxes");
    for (const [i, { logits, boxes }] of layers.slice(0, -1).entries()) {
      if (!names.includes(`aux.${i}.logits`)) continue;
      expectClose(logits, `aux.${i}.logits`);
      expectClose(boxes, `aux.${i}.boxes`);
    }
    const masks = { pred_masks: layers.at(-1)!.masks, enc_masks: encoder.masks };
    const earlier = Object.fromEntries(layers.slice(0, -1).map((layer, i) => [`aux.${i}.masks`, layer.masks]));
    for (const [key, output] of Object.entries({ ...masks, ...earlier })) {
      expect(output !== undefined).toBe(architecture.segmentationHead);
      if (!names.includes(key)) continue;
      tf.tidy(() => {
        const some = tf.range(0, output!.queries.shape[1], MASK_EVERY, "int32");
        const kept = tf.gather(maskLogits(output!), some, 1);
        expect(kept.shape, key).toEqual(tensor(key).shape);
        expect(farthest(kept.dataSync(), values(tensor(key))), key).toBeLessThan(MASK_BOUND);
      });
    }
    tf.dispose([layers, encoder] as unknown as tf.TensorContainer);
    tf.dispose(flatten<tf.Tensor>(weights).map(([, leaf]) => leaf));
    expect(tf.memory().numTensors).toBe(before);
  });
});
