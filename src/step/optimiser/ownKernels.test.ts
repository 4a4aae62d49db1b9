import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { random } from "../../../tests/support/gradients.ts";
import { loadBackend } from "../../engine/backend.ts";
import { withPlainOperations } from "../../engine/ownKernels.ts";
import { adamW, disposeAdamW, readMoments, updateWeights } from "./adamw.ts";
import { disposeEma, ema, readAverage, updateEma } from "./ema.ts";

beforeAll(() => {
  loadBackend();
});

test("AdamW and the moving average give TensorFlow's bytes", async () => {
  const shape = [57, 33];
  const states = [adamW(), adamW()];
  const averages = [ema(), ema()];
  const weights = states.map(() => tf.variable(random(shape, 5)));
  const step = async (i: number, seed: number, run: typeof withPlainOperations = (f) => f()) => {
    const gradient = random(shape, seed);
    const update = { path: "w", weight: weights[i]!, gradient, lr: 1e-3, weightDecay: 1e-2 };
    await run(() => updateWeights(states[i]!, [update], { scale: 0.37 }));
    await run(() => updateEma(averages[i]!, [["w", weights[i]!]], { decay: 0.9, tau: 0 }));
    gradient.dispose();
  };
  for (const seed of [11, 12, 13]) {
    await step(0, seed);
    await step(1, seed, withPlainOperations);
  }
  expect(weights[0]!.dataSync()).toEqual(weights[1]!.dataSync());
  const [own, plain] = await Promise.all(states.map(readMoments));
  expect(own).toEqual(plain);
  const [a, b] = averages.map((state) => readAverage(state, "w")!);
  expect(a!.dataSync()).toEqual(b!.dataSync());
  tf.dispose([...weights, a!, b!]);
  states.forEach(disposeAdamW);
  averages.forEach(disposeEma);
});
