import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { type Architecture, VARIANTS } from "../architecture/variants.ts";
import { leafShapes } from "../architecture/weights/table.ts";
import { loadBackend } from "../engine/backend.ts";
import { size } from "../util/hostTensor.ts";
import { levelSizes, projector } from "./projector.ts";
import { uploadWeights } from "./weights.ts";

beforeAll(() => void loadBackend());

test.each([
  { scales: ["P4"], image: [16, 24] },
  { scales: ["P3", "P5"], image: [24, 40] },
  { scales: ["P4", "P5", "P6"], image: [40, 72] },
  { scales: ["P3", "P6"], image: [8, 24] },
] as const)("the sizes of the levels $scales are those of the projector's maps", ({ scales, image }) => {
  const architecture: Architecture = {
    ...VARIANTS.nano,
    encoder: { hiddenSize: 8, numAttentionHeads: 1, numHiddenLayers: 1, mlpRatio: 1 },
    outFeatureIndexes: [1],
    patchSize: 8,
    hiddenDim: 8,
    projectorScale: [...scales],
  };
  const zeros = [...leafShapes(architecture)].map(([path, shape]) => [path, { shape, data: new Float32Array(size(shape)) }] as const); // biome-ignore format: one line
  const weights = uploadWeights(new Map(zeros.filter(([path]) => path.startsWith("projector."))), () => false);
  const [height, width] = image;
  const maps = projector(weights.projector, architecture, [tf.zeros([1, height / 8, width / 8, 8])]);
  expect(levelSizes(architecture, image)).toEqual(maps.map(({ shape }) => shape.slice(1, 3)));
});
