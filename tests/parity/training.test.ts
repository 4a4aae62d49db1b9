import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Architecture } from "../../src/architecture/variants.ts";
import { leafShapes } from "../../src/architecture/weights/table.ts";
import { fromLeaves } from "../../src/checkpoint/names.ts";
import { loadBackend } from "../../src/engine/backend.ts";
import { createRecorder } from "../../src/engine/recording/recorder.ts";
import type { MaskPixels, Target } from "../../src/instance/instance.ts";
import { MASK_LOSSES } from "../../src/loss/masks/settings.ts";
import { rfdetr } from "../../src/model/rfdetr.ts";
import { valueAndGradients } from "../../src/ops/differentiable.ts";
import { resizeBilinear } from "../../src/ops/resize/resize.ts";
import { createLearner, disposeLearner, type Learner, learnerTensors, trainable } from "../../src/step/learner.ts";
import { multiScaleSides, sideOfStep } from "../../src/step/multiScale.ts";
import { type Schedule, scheduleFactor } from "../../src/step/optimiser/schedule.ts";
import { type MaskSettings, trainStep } from "../../src/step/step.ts";
import type { Leaf } from "../../src/util/hostTensor.ts";
import { type StateDict, size, toFloat32 } from "../../src/util/hostTensor.ts";
import { lossOf } from "../support/loss.ts";
import {
  type ArchitectureName,
  architectureOf,
  type Changed,
  channelsLast,
  type Fixture,
  paddingOf,
  readFixture,
  values,
  weightsOf,
} from "./fixtures.ts";
import { generatedDraws } from "./generatedDraws.ts";
import {
  type Digest,
  digest,
  generatedImages,
  generatedMasks,
  type ImageSpec,
  PROJECTIONS,
  SAMPLES,
} from "./generatedWeights.ts";

type Step = {
  loss: number;
  losses: Record<string, number>;
  gradNorm: number;
  rates: number[];
  targets: { boxes: number[][]; labels: number[] }[];
};

type About = ImageSpec & {
  architecture: ArchitectureName;
  changed: Changed;
  train: {
    lr?: number;
    lr_encoder?: number;
    weight_decay?: number;
    lr_scheduler?: "cosine";
    warmup_epochs?: number;
    lr_scheduler_kwargs?: { min_factor: number };
    multi_scale?: boolean;
  };
  steps: Step[];
  groups: { weightDecay: number; names: string[] }[];
  /** Weights that have a gradient, in the order of the digests. */
  names: string[];
};

beforeAll(() => void loadBackend());

const CASES = [
  "tiny-default",
  "tiny-frozen",
  "tiny-cosine",
  "tiny-few-tokens",
  "tiny-padded",
  "tiny-multiscale",
  "seg-tiny-default",
  "seg-tiny-whole",
  "seg-tiny-multiscale",
  "nano",
  "nano-frozen",
];

describe.each(CASES)("the first step of %s", (name) => {
  it("has the reference's losses, each within 1e-5, and gradients, each within 1e-3 of its norm", async () => {
    const fixture = await readFixture<About>(`train/${name}`);
    const { about } = fixture;
    const learner = learnerOf(about);
    const { losses, gradients } = firstStep(learner, about);
    for (const [key, theirs] of Object.entries(about.steps[0]!.losses))
      expect(Math.abs(losses[key]! - theirs), key).toBeLessThanOrEqual(1e-5 * Math.abs(theirs) + 1e-7);
    expect(Object.keys(losses).sort()).toEqual(Object.keys(about.steps[0]!.losses).sort());
    compareGradients(fixture, gradients);
    disposeLearner(learner);
  });
});

describe.each(CASES.filter((name) => !name.endsWith("tokens") && !name.endsWith("padded")))(
  "the steps of %s",
  (name) => {
    it("have the reference's losses, norms, rates, weights and averages", async () => {
      const fixture = await readFixture<About>(`train/${name}`);
      const { about } = fixture;
      const learner = learnerOf(about);
      const recorder = createRecorder(); // as a run has it: the first two steps of a size are eager, the rest replayed
      const decayOf = new Map(learner.groups.flatMap((g) => g.references.map((key) => [key, g.weightDecay])));
      const rateOf = new Map(learner.groups.flatMap((g) => g.references.map((key) => [key, g.lr])));
      expect(decayOf).toEqual(new Map(about.groups.flatMap((g) => g.names.map((key) => [key, g.weightDecay]))));

      for (const [i, step] of about.steps.entries()) {
        const factor = scheduleFactor(scheduleOf(about), i, { epochs: 1, stepsPerEpoch: about.steps.length });
        for (const [g, { names }] of about.groups.entries())
          for (const key of names) expect(rateOf.get(key)! * factor).toBeCloseTo(step.rates[g]!, 12);
        const settings = {
          ...{ clipMaxNorm: 0.1, ema: { decay: 0.993, tau: 100 }, accumulation: "mean" as const },
          recorder,
          masks: maskSettings(learner.architecture),
          sides: about.train.multi_scale ? multiScaleSides(learner.architecture) : undefined,
        };
        const result = await trainStep(learner, settings, {
          batches: [batchOf(about, i)],
          rateFactor: factor,
          step: i,
        });
        expect(result.problem).toBeNull();
        expect(Math.abs(result.loss / step.loss - 1), `loss of step ${i}`).toBeLessThan(1e-3);
        expect(Math.abs(result.gradNorm / step.gradNorm - 1), `norm of step ${i}`).toBeLessThan(1e-3);
        for (const [key, theirs] of Object.entries(step.losses))
          if (key.startsWith("loss"))
            expect(Math.abs(result.terms[key]! / theirs - 1), `${key} of step ${i}`).toBeLessThan(1e-3);
      }

      recorder.dispose();
      const { model, ema } = await learnerTensors(learner);
      compareWeights(fixture, "final", model);
      compareWeights(fixture, "ema", ema!);
      const initial = weightsOf(learner.architecture, about.seed);
      const trained = new Set(about.names);
      for (const [key, { bytes }] of model)
        if (!trained.has(key) && !key.endsWith("attention.key.bias"))
          expect(Buffer.compare(bytes, initial.get(key)!.bytes), `${key} stays`).toBe(0);
      disposeLearner(learner);
    });
  },
);

/** Each gradient within 1e-3 of its norm: by its samples, and by the sums under random signs, which see every element. */
function compareGradients(fixture: Fixture<About>, ours: StateDict) {
  for (const { name, length, mine, theirs } of digests(fixture, "gradients", ours)) {
    const bySamples = Math.sqrt(meanSquare(mine.samples, theirs.samples) * length);
    expect(bySamples, `${name}, samples`).toBeLessThanOrEqual(1e-3 * theirs.norm);
    expect(Math.sqrt(meanSquare(mine.sums, theirs.sums)), `${name}, all`).toBeLessThanOrEqual(1e-3 * theirs.norm);
  }
}

/**
 * Each weight's mean difference within 0.5 % of the mean distance it moved, by its samples. The sums, which see every
 * element, bound the root mean square, and that by 5 %: where a gradient is nearly zero, Adam turns a rounding error
 * into a step of full length, which weighs little in a mean and much in a square.
 */
function compareWeights(fixture: Fixture<About>, kind: "final" | "ema", ours: StateDict) {
  const moved = doubles(fixture.tensor(`${kind}.moved`));
  for (const [i, { name, length, mine, theirs }] of digests(fixture, kind, ours).entries()) {
    const differences = mine.samples.map((x, k) => Math.abs(x - theirs.samples[k]!));
    const mean = differences.reduce((a, b) => a + b, 0) / differences.length;
    expect(mean, `${kind} of ${name}, samples`).toBeLessThanOrEqual(5e-3 * moved[i]!);
    const rms = Math.sqrt(meanSquare(mine.sums, theirs.sums) / length);
    expect(rms, `${kind} of ${name}, all`).toBeLessThanOrEqual(5e-2 * moved[i]!);
  }
}

/** Our digest and the reference's of every weight in the fixture's list. */
function digests({ about, tensor }: Fixture<About>, kind: "gradients" | "final" | "ema", ours: StateDict) {
  const samples = values(tensor(`${kind}.samples`));
  const norms = doubles(tensor(`${kind}.norms`));
  const sums = doubles(tensor(`${kind}.sums`));
  let at = 0;
  return about.names.map((name, i) => {
    const all = kept(name, toFloat32(ours.get(name)!));
    const start = at;
    at += Math.min(all.length, SAMPLES);
    const theirs: Digest = {
      samples: samples.subarray(start, at),
      norm: norms[i]!,
      sums: sums.subarray(i * PROJECTIONS, (i + 1) * PROJECTIONS),
    };
    return { name, length: all.length, mine: digest(all), theirs };
  });
}

function meanSquare(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum / a.length;
}

/** The elements that are compared: keys' biases have no true gradient (they shift all scores of a softmax alike). */
function kept(name: string, x: Float32Array): Float32Array {
  if (!name.endsWith("in_proj_bias")) return x;
  const third = x.length / 3;
  return Float32Array.of(...x.subarray(0, third), ...x.subarray(2 * third));
}

const doubles = ({ bytes, shape }: { bytes: Uint8Array; shape: number[] }) =>
  new Float64Array(bytes.slice().buffer, 0, size(shape));

function learnerOf({ architecture: name, changed, train, seed }: About): Learner {
  const architecture = architectureOf(name, changed);
  return createLearner(weightsOf(architecture, seed), architecture, {
    lr: train.lr ?? 1e-4,
    lrEncoder: train.lr_encoder ?? 1.5e-4,
    lrVitLayerDecay: 0.8,
    lrComponentDecay: 0.7,
    weightDecay: train.weight_decay ?? 1e-4,
    freezeEncoder: changed.freeze_encoder ?? false,
    average: true,
  });
}

function scheduleOf({ train }: About): Schedule {
  return {
    name: train.lr_scheduler ?? "step",
    warmupEpochs: train.warmup_epochs ?? 0,
    minFactor: train.lr_scheduler_kwargs?.min_factor ?? 0,
    lrDrop: 100,
  };
}

function batchOf(about: About, step: number) {
  const { batch, size: side } = about;
  const images = generatedImages(`images.${step}`, about);
  const targets: Target[] = about.steps[step]!.targets.map(({ boxes, labels }) => ({
    boxes: Float32Array.from(boxes.flat()),
    labels: Int32Array.from(labels),
    ...(architectureOf(about.architecture).segmentationHead && { masks: masksOf(boxes, side) }),
  }));
  return {
    images: channelsLast(images, [batch, ...side]),
    shape: [batch, ...side, 3] as [number, number, number, 3],
    targets,
    imageIds: targets.map((_, i) => i),
    files: targets.map((_, i) => `image ${i}`),
    originalSizes: targets.map(() => side),
    broken: [],
    wait: 0,
  };
}

function masksOf(boxes: number[][], size: [height: number, width: number]): MaskPixels {
  const pixels = generatedMasks(Float32Array.from(boxes.flat()), size);
  return { size, pixels, present: new Uint8Array(boxes.length).fill(1) };
}

/** Of a segmenter, the reference's settings and the fixture's random points. */
function maskSettings({ segmentationHead, decLayers }: Architecture): MaskSettings | undefined {
  if (!segmentationHead) return undefined;
  return { settings: { ...MASK_LOSSES, missing: "empty" }, drawsOf: (step) => generatedDraws(decLayers, step) };
}

/** Losses, and gradients under the reference's names. */
function firstStep({ weights, architecture }: Learner, about: About) {
  const { images, shape, targets } = batchOf(about, 0);
  const variables = trainable(weights);
  const whole = tf.tensor4d(images, shape);
  const side = about.train.multi_scale && sideOfStep(multiScaleSides(architecture), 0);
  const input = side ? resizeBilinear(whole, side) : whole.clone();
  const result = valueAndGradients(
    variables.map(([, variable]) => variable),
    () => {
      const detections = rfdetr(weights, architecture, input, {
        training: true,
        padding: paddingOf(about, architecture),
      });
      const settings = maskSettings(architecture);
      const masks = settings && { settings: settings.settings, draws: settings.drawsOf(0, 0) };
      const { loss, terms } = lossOf(detections, targets, { groups: architecture.groupDetr, masks });
      return { loss, extra: terms };
    },
  );
  const losses = Object.fromEntries(Object.entries(result.extra).map(([key, term]) => [key, term.dataSync()[0]!]));
  const leaves = new Map<string, Leaf>();
  for (const [path, shapeOf] of leafShapes(architecture))
    leaves.set(path, { shape: shapeOf, data: new Float32Array(size(shapeOf)) });
  for (const [i, [path]] of variables.entries())
    leaves.get(path)!.data.set((result.gradients[i]?.dataSync() ?? []) as ArrayLike<number>);
  tf.dispose([
    whole,
    input,
    result.loss,
    ...Object.values(result.extra),
    ...result.gradients.filter((g) => g !== undefined),
  ]);
  return { losses, gradients: fromLeaves(leaves, architecture) };
}
