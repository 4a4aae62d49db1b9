// Time of one optimizer update (norm, clipping, AdamW, moving average) on weights of RF-DETR nano's shapes.
// Run: npx tsx scripts/bench/optimizer.mjs [repetitions]

import * as tf from "@tensorflow/tfjs-core";
import { VARIANTS } from "../../src/architecture/variants.ts";
import { leafShapes, nameTable } from "../../src/architecture/weights/table.ts";
import { loadBackend } from "../../src/engine/backend.ts";
import { adamW, clipFactor, globalNorm, updateWeights } from "../../src/step/optimiser/adamw.ts";
import { ema, updateEma } from "../../src/step/optimiser/ema.ts";
import { paramGroups } from "../../src/step/optimiser/paramGroups.ts";

loadBackend();
const backend = tf.backend();
let ops = 0;
const { binding } = backend;
backend.binding = new Proxy(binding, {
  get: (target, key) => {
    if (key === "executeOp") ops++;
    return target[key];
  },
});

const architecture = VARIANTS.nano;
const settings = { lr: 1e-4, lrEncoder: 1.5e-4, lrVitLayerDecay: 0.8, lrComponentDecay: 0.7, weightDecay: 1e-4 };
const groups = paramGroups(nameTable(architecture), settings);
const groupOf = new Map(groups.flatMap((group) => group.paths.map((path) => [path, group])));
const weights = [...leafShapes(architecture)].map(([path, shape]) => [
  path,
  tf.variable(tf.randomNormal(shape, 0, 0.02)),
]);
const gradients = weights.map(([, weight]) => tf.randomNormal(weight.shape, 0, 0.01));
const optimizer = adamW();
const average = ema();

const times = { norm: [], adamw: [], ema: [] };
for (let i = 0; i < Number(process.argv[2] ?? 12); i++) {
  ops = 0;
  const t0 = performance.now();
  const norm = globalNorm(gradients);
  const scale = clipFactor((await norm.data())[0], 0.1);
  norm.dispose();
  const t1 = performance.now();
  const updates = weights.map(([path, weight], j) => ({ path, weight, gradient: gradients[j], ...groupOf.get(path) }));
  await updateWeights(optimizer, updates, { scale });
  const t2 = performance.now();
  await updateEma(average, weights, { decay: 0.993, tau: 100 });
  const t3 = performance.now();
  if (i < 2) continue; // the first updates allocate
  times.norm.push(t1 - t0);
  times.adamw.push(t2 - t1);
  times.ema.push(t3 - t2);
}
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1].toFixed(0);
const parameters = weights.reduce((sum, [, weight]) => sum + weight.size, 0);
console.log(`${weights.length} weights, ${(parameters / 1e6).toFixed(1)} M parameters, ${ops} operations an update`);
console.log(
  `norm ${median(times.norm)} ms, AdamW ${median(times.adamw)} ms, average ${median(times.ema)} ms (medians)`,
);
