// Whether many steps leave anything behind: tensors on the device and resident memory over 1,000 steps of a tiny network with images of
// two sizes and one box or two, in each way that a step can run.
// Usage: npm run bench:leaks -- [--steps 1000] [--modes off,graph,xla], and after each `+bf16`

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "1000" },
    modes: { type: "string", default: "off,graph,xla" },
    one: { type: "string" },
  },
});

if (values.one) await measure(values.one, Number(values.steps));
else
  for (const mode of values.modes.split(",")) {
    const words = ["--import", "tsx", fileURLToPath(import.meta.url), "--one", mode, "--steps", values.steps];
    const { status } = spawnSync(process.execPath, words, { stdio: "inherit" });
    if (status !== 0) process.exitCode = 1;
  }

async function measure(mode, steps) {
  const tf = await import("@tensorflow/tfjs-core");
  const { loadBackend } = await import("../../src/engine/backend.ts");
  const { createRecorder } = await import("../../src/engine/recording/recorder.ts");
  const { trainStep } = await import("../../src/step/step.ts");
  const { noiseBatch, TINY, tinyLearner } = await import("../../tests/tinyModel.ts");
  const { binding } = loadBackend();
  const learner = tinyLearner();
  const [compile, precision = "none"] = mode.split("+");
  const recorder = compile === "off" ? undefined : createRecorder({ xla: compile === "xla" });
  const settings = { clipMaxNorm: 0.1, ema: { decay: 0.99, tau: 10 }, accumulation: "whole", recorder, precision };
  const sides = [TINY.resolution, 2 * TINY.resolution];
  const seen = [];
  for (let step = 0; step < steps; step++) {
    const batches = [noiseBatch(step % 8, 2)];
    const { problem } = await trainStep(learner, { ...settings, sides }, { batches, rateFactor: 1, step });
    if (problem) throw new Error(problem);
    recorder?.news();
    if ((step + 1) % Math.ceil(steps / 10) > 0) continue;
    globalThis.gc?.();
    seen.push({
      tensors: tf.memory().numTensors,
      native: binding.getNumOfTensors(),
      megabytes: process.memoryUsage.rss() / 1e6,
    });
  }
  const [first, last] = [seen[1], seen.at(-1)];
  const grown = `${first.megabytes.toFixed(0)} to ${last.megabytes.toFixed(0)} MB from the second tenth to the last`;
  const leaked = last.tensors - first.tensors + last.native - first.native;
  console.log(
    `${mode.padEnd(10)} ${steps} steps: ${leaked} tensors more; resident ${grown} (${seen.map(({ megabytes }) => megabytes.toFixed(0)).join(" ")})`,
  );
  if (leaked !== 0) process.exitCode = 1;
}
