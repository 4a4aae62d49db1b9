// Times training steps of this program for the step benchmarks: a line on standard input asks for one step, the answer is a line
// of JSON with its milliseconds, the processor's, and the peak memory so far. Run with tsx: the sources are TypeScript.

import { createInterface } from "node:readline";
import { VARIANTS } from "../../src/architecture/variants.ts";
import { loadBackend } from "../../src/engine/backend.ts";
import { createRecorder } from "../../src/engine/recording/recorder.ts";
import { setTrainable } from "../../src/step/learner.ts";
import { trainStep } from "../../src/step/step.ts";
import { flatten } from "../../src/util/tree.ts";
import { newLearner, noiseOf } from "./noise.mjs";

const [batch, resolution] = process.argv.slice(2, 4).map(Number);
const [mode, ...more] = (process.argv[4] ?? "none").split("+");
const variant = VARIANTS[process.argv[5] ?? "nano"];
const compile = more.find((one) => one === "graph" || one === "xla");
loadBackend();
const learner = newLearner(variant, resolution, { freezeEncoder: mode === "frozen" });
if (mode === "heads") {
  const paths = flatten(learner.weights).map(([path]) => path);
  setTrainable(learner, new Set(paths.filter((path) => path.startsWith("heads"))));
}
/** Of ten boxes, their upper left quarters. */
function masks() {
  const pixels = new Uint8Array(10 * resolution * resolution);
  for (let i = 0; i < 10; i++)
    for (let y = Math.round(0.4 * resolution); y < 0.5 * resolution; y++) {
      const start = (i * resolution + y) * resolution;
      pixels.fill(
        1,
        start + Math.round((0.15 + 0.05 * i) * resolution),
        start + Math.round((0.2 + 0.05 * i) * resolution),
      );
    }
  return { size: [resolution, resolution], pixels, present: new Uint8Array(10).fill(1) };
}
const data = noiseOf(batch, resolution, { masks: variant.segmentationHead ? masks : undefined });
const settings = {
  clipMaxNorm: 0.1,
  ema: { decay: 0.993, tau: 100 },
  accumulation: "mean",
  checkpointing: mode === "frozen" || mode === "heads" ? "none" : mode,
  recorder: compile ? createRecorder({ xla: compile === "xla" }) : undefined,
  precision: more.includes("bf16") ? "bf16" : "none",
};

for await (const _ of createInterface({ input: process.stdin })) {
  const [started, before] = [performance.now(), process.cpuUsage()];
  const { loss, problem } = await trainStep(learner, settings, { batches: [data], rateFactor: 1, step: 0 });
  const milliseconds = performance.now() - started;
  if (problem) throw new Error(problem);
  const { user, system } = process.cpuUsage(before);
  const peak = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ milliseconds, processor: (user + system) / 1000, peak, loss }));
}
