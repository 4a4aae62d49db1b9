// The process that tries a batch size: a few whole steps on made-up images, with all that a step of the run does.

import { leafShapes, referenceKeys } from "../../architecture/weights/table.ts";
import { detectWith } from "../../detector/detector.ts";
import { detectingWith } from "../../detector/weights.ts";
import { selectDevice } from "../../engine/device.ts";
import type { Batch } from "../../loading/batch/batch.ts";
import { initialise } from "../../model/init.ts";
import { averagedWeights, createLearner, type Learner } from "../../step/learner.ts";
import { type StepSettings, trainStep } from "../../step/step.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import { dieFirst } from "../../util/threads/dieFirst.ts";
import { toThrown } from "../../util/threads/thread.ts";
import { learnerSettings, recorderOf, stepSettings } from "../settings.ts";
import { stepMeter } from "../stages/meter.ts";
import { stagePlan } from "../stages/stages.ts";
import type { ProbeAnswer, ProbeTask } from "./probe.ts";

/** Steps before those that are timed: the first allocates the optimizer's moments, two are recorded, the next prepares the functions. */
const WARM_UP = { off: 1, graph: 3, xla: 2, auto: 3 };
/** Steps that are timed; fewer where they are slow. */
const STEPS = 2;
const SLOW_SECONDS = 4;

process.on("SIGINT", () => {}); // Ctrl-C reaches every process of a terminal; the one that started this decides
process.once("message", (task: ProbeTask) => {
  probe(task)
    .catch((cause: unknown) => failure(cause as Error))
    .then((answer) => process.connected && process.send?.(answer, () => process.disconnect()));
});

async function probe({ recipe, architecture, batchSize, side, boxes, evaluation }: ProbeTask): Promise<ProbeAnswer> {
  dieFirst();
  const { kind } = selectDevice(recipe.device);
  const weights = initialise(referenceKeys(architecture), recipe.seed, architecture);
  const { freeze_encoder: freezeEncoder } = recipe.model;
  const plan = stagePlan(recipe.train.stages, leafShapes(architecture), { freezeEncoder });
  const stage = plan.reduce((a, b) => (b.trainable > a.trainable ? b : a)); // the one that takes most
  const learner = createLearner(weights, architecture, learnerSettings(recipe, stage.paths));
  const settings = { ...stepSettings(recipe, architecture), recorder: recorderOf(recipe) };
  // With accumulation, the sum of the gradients is kept while the next are made.
  const batches = Array.from({ length: Math.min(2, recipe.train.grad_accum_steps) }, (_, i) =>
    madeUp(i, { batchSize, side, boxes, classes: architecture.numClasses, masks: architecture.segmentationHead }),
  );
  const baseBytes = process.memoryUsage.rss();
  const meter = stepMeter();
  const step = async (number: number) => {
    meter.begin();
    await trainStep(learner, settings, { batches, rateFactor: 1e-3, step: number });
    meter.end();
    return meter.take()!;
  };
  let [peakBytes, seconds] = [0, Number.POSITIVE_INFINITY];
  const warmUp = WARM_UP[recipe.train.compile];
  for (let i = 0; i <= warmUp || (i < warmUp + STEPS && seconds <= SLOW_SECONDS); i++) {
    const cost = await step(i);
    peakBytes = Math.max(peakBytes, cost.peakBytes);
    if (i >= warmUp) seconds = Math.min(seconds, cost.seconds);
  }
  const evaluationSeconds = evaluation ? await secondsOfEvaluation(learner, batches[0]!, settings) : null;
  return { kind, images: batchSize * batches.length, seconds, peakBytes, baseBytes, evaluationSeconds };
}

/** Seconds that an image takes without training, of the second batch: the first one warms up. */
async function secondsOfEvaluation(
  learner: Learner,
  { images, shape }: Batch,
  { precision }: Pick<StepSettings, "precision">,
): Promise<number> {
  const averaged = averagedWeights(learner);
  const { resolution: side } = learner.architecture;
  const [count] = shape;
  const pixels = images.length === count * side * side * 3 ? images : new Float32Array(count * side * side * 3);
  const originalSizes = Array.from({ length: count }, (): [number, number] => [side, side]);
  const detecting = detectingWith(averaged.weights, learner.architecture, { precision });
  await detectWith(detecting, { images: pixels, originalSizes });
  const began = performance.now();
  await detectWith(detecting, { images: pixels, originalSizes });
  averaged.dispose();
  return (performance.now() - began) / 1000 / count;
}

type Sizes = { batchSize: number; side: number; boxes: number; classes: number; masks: boolean };

function madeUp(number: number, { batchSize, side, boxes, classes, masks }: Sizes): Batch {
  const rng = rngFromSeed(number);
  const noise = Float32Array.from({ length: 4096 }, () => rng.normal());
  const images = new Float32Array(batchSize * side * side * 3);
  for (let i = 0; i < images.length; i++) images[i] = noise[(i * 31) & 4095]!;
  const all = Array.from({ length: batchSize }, (_, i) => i);
  return {
    images,
    shape: [batchSize, side, side, 3],
    targets: all.map(() => ({
      boxes: Float32Array.from({ length: 4 * boxes }, (_, i) => (i % 4 < 2 ? 0.3 + 0.4 * rng.uniform() : 0.2)),
      labels: Int32Array.from({ length: boxes }, () => rng.int(classes)),
      ...(masks && {
        masks: {
          size: [side, side] as [number, number],
          pixels: Uint8Array.from({ length: boxes * side * side }, (_, i) => Number(noise[i & 4095]! > 0)),
          present: new Uint8Array(boxes).fill(1),
        },
      }),
    })),
    imageIds: all,
    files: all.map((i) => `made-up image ${i}`),
    originalSizes: all.map(() => [side, side]),
    broken: [],
    wait: 0,
  };
}

function failure(cause: Error): ProbeAnswer {
  if (/\bOOM\b|out of memory|bad_alloc|failed to allocate|allocation failed/i.test(cause.message))
    return { failed: cause.message.split("\n")[0]!.slice(0, 200) };
  return { fault: toThrown(cause) };
}
