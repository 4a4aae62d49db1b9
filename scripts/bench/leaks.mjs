// Whether many steps leave anything behind: tensors on the device and resident memory over 1,000 steps of a tiny network with images of
// two sizes and one box or two, in each way that a step can run; threads, too, where several workers train together.
// Usage: npm run bench:leaks -- [--steps 1000] [--modes off,graph,xla] [--workers 2], and after each mode `+bf16`

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "1000" },
    modes: { type: "string", default: "off,graph,xla" },
    workers: { type: "string", default: "1" },
    one: { type: "string" },
    rank: { type: "string", default: "0" },
  },
});

const size = Number(values.workers);
if (values.one) await measure(values.one, Number(values.steps));
else
  for (const mode of values.modes.split(",")) {
    const own = (rank) => ["--one", mode, "--steps", values.steps, "--workers", values.workers, "--rank", String(rank)];
    const words = ["--expose-gc", "--import", "tsx", fileURLToPath(import.meta.url)];
    const children = Array.from({ length: size }, (_, rank) => spawn(process.execPath, [...words, ...own(rank)], { stdio: "inherit" })); // biome-ignore format: one line
    for (const [code] of await Promise.all(children.map((child) => once(child, "exit")))) if (code !== 0) process.exitCode = 1; // biome-ignore format: one line
  }

/** The workers of this training, this process being one of them. */
async function joined(rank) {
  if (size === 1) return undefined;
  const { joinWorkers } = await import("../../src/distributed/runtime.ts");
  return joinWorkers({ workers: Array.from({ length: size }, (_, i) => `127.0.0.1:${7310 + i}`), rank });
}

async function measure(mode, steps) {
  const tf = await import("@tensorflow/tfjs-core");
  const { loadBackend } = await import("../../src/engine/backend.ts");
  const { createRecorder } = await import("../../src/engine/recording/recorder.ts");
  const { trainStep } = await import("../../src/step/step.ts");
  const { noiseBatch, TINY, tinyLearner } = await import("../../tests/tinyModel.ts");
  const workers = await joined(Number(values.rank));
  const { binding } = loadBackend();
  const learner = tinyLearner();
  const [compile, precision = "none"] = mode.split("+");
  const recorder = compile === "off" ? undefined : createRecorder({ xla: compile === "xla" });
  const settings = {
    clipMaxNorm: 0.1,
    ema: { decay: 0.99, tau: 10 },
    accumulation: "whole",
    recorder,
    precision,
    workers,
  };
  const sides = [TINY.resolution, 2 * TINY.resolution];
  const seen = [];
  for (let step = 0; step < steps; step++) {
    const batches = [noiseBatch((step + Number(values.rank)) % 8, 2)];
    const { problem } = await trainStep(learner, { ...settings, sides }, { batches, rateFactor: 1, step });
    if (problem) throw new Error(problem);
    recorder?.news();
    if ((step + 1) % Math.ceil(steps / 10) > 0) continue;
    globalThis.gc?.();
    seen.push({
      tensors: tf.memory().numTensors,
      native: binding.getNumOfTensors(),
      megabytes: process.memoryUsage.rss() / 1e6,
      threads: Number(/Threads:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]),
    });
  }
  const [first, last] = [seen[1], seen.at(-1)];
  const grown = `${first.megabytes.toFixed(0)} to ${last.megabytes.toFixed(0)} MB from the second tenth to the last`;
  const leaked = last.tensors - first.tensors + last.native - first.native;
  workers?.sum([0]);
  const name = workers ? `${mode}, worker ${values.rank}` : mode;
  const threads = last.threads - first.threads;
  console.log(
    `${name.padEnd(10)} ${steps} steps: ${leaked} tensors and ${threads} threads more; resident ${grown} (${seen.map(({ megabytes }) => megabytes.toFixed(0)).join(" ")})`,
  );
  process.exit(leaked === 0 && threads <= 2 ? 0 : 1); // some start late, once
}
