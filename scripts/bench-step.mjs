// Time and memory of a training step beside the reference's: RF-DETR nano, forward, loss, gradients, clipping, AdamW and
// moving average; the two take turns on the same machine, each with its default number of threads.
// Usage: npm run bench:step -- [--python PATH] [--steps 10] [--batch 1] [--resolution 384]
// PATH (or RFDETR_PYTHON) is a Python that has rfdetr[train] 1.11.2; without one only our own step is timed.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism, cpus } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: process.env.RFDETR_PYTHON },
    steps: { type: "string", default: "10" },
    batch: { type: "string", default: "1" },
    resolution: { type: "string", default: "384" },
  },
});
const WARM_UP = 2;
const here = (file) => fileURLToPath(new URL(file, import.meta.url));

/** A process that makes one training step for each line it is sent. */
function stepper(command, args) {
  const child = spawn(command, [...args, values.batch, values.resolution], { stdio: ["pipe", "pipe", "inherit"] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.on("error", (error) => console.error(`${command}: ${error.message}`));
  child.stdin.on("error", () => {}); // its end is reported below
  return {
    async step() {
      child.stdin.write("step\n");
      const { value, done } = await answers.next();
      if (done) throw new Error(`${command} ended before its step was done`);
      return JSON.parse(value);
    },
    async end() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}

const ours = stepper(process.execPath, ["--import", "tsx", here("bench-step-ours.mjs")]);
const reference = values.python && stepper(values.python, [here("bench-step-reference.py")]);
const results = { ours: [], reference: [] };
try {
  for (let i = 0; i < WARM_UP + Number(values.steps); i++) {
    for (const [name, one] of Object.entries({ ours, reference })) {
      if (!one) continue;
      const result = await one.step();
      if (i >= WARM_UP) results[name].push(result);
    }
  }
} finally {
  await Promise.all([ours.end(), reference?.end()]);
}

const sorted = (list) => list.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
const median = (list) => (list[(list.length - 1) >> 1] + list[list.length >> 1]) / 2;
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
console.log(
  `RF-DETR nano at ${values.resolution}, batch ${values.batch}, ${values.steps} steps after ${WARM_UP} of warm-up`,
);
console.log(`${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}`);
for (const [name, list] of Object.entries(results)) {
  if (list.length === 0) continue;
  const times = sorted(list);
  const peak = (Math.max(...list.map((one) => one.peak)) / 1e9).toFixed(2);
  const threads = list[0].threads ? `, ${list[0].threads} threads` : "";
  console.log(
    `${name.padEnd(9)}  median ${seconds(median(times))} (${seconds(times[0])} to ${seconds(times.at(-1))}), peak memory ${peak} GB${threads}`,
  );
}
if (reference)
  console.log(`ratio      ${(median(sorted(results.ours)) / median(sorted(results.reference))).toFixed(2)}`);
else console.log("The reference was not timed: give --python PATH or RFDETR_PYTHON.");
