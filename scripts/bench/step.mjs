// Time, processor time and memory of a training step beside the reference's: RF-DETR nano or seg-nano, forward, loss, gradients, clipping, AdamW and
// moving average; all take turns on the same machine, for each number of threads and size of batch.
// Usage: npm run bench:step -- [--python PATH] [--steps 10] [--batch 1,4] [--threads 1,2] [--modes kernels,plain] [--variant nano]
//   [--resolution 384]
// PATH (or RFDETR_PYTHON) is a Python that has rfdetr[train] 1.11.2; without one only our own step is timed. Without --threads each takes
// its default. Modes: `kernels` (default), `plain` without the kernels of our own, `frozen` with a frozen encoder, `heads` where only the heads
// train, `bf16`; after it `+graph`, recorded and replayed, and `+bf16`. Each is compared with the reference trained likewise: those in bf16
// under autocast, its losses in float32.

import { parseArgs } from "node:util";
import { gigabytes, here, limited, machine, ourStepper, seconds, stepper, summarise, takeTurns } from "./stepper.mjs";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: process.env.RFDETR_PYTHON },
    steps: { type: "string", default: "10" },
    batch: { type: "string", default: "1" },
    threads: { type: "string", default: "default" },
    modes: { type: "string", default: "kernels" },
    variant: { type: "string", default: "nano" },
    resolution: { type: "string" },
  },
});
const { python, variant } = values;
const resolution = values.resolution ?? (variant === "seg-nano" ? "312" : "384");
const [batches, threadCounts, modes] = [values.batch, values.threads, values.modes].map((list) => list.split(","));

function steppersOf(batch, threads) {
  const env = limited(threads);
  const ours = modes.map((mode) => {
    const [kind, ...more] = mode.split("+");
    const own = kind === "plain" ? { ...env, RFDETR_KERNELS: "off" } : env;
    const trains = kind === "frozen" || kind === "heads" ? kind : "none";
    if (kind === "bf16") more.unshift(kind);
    return [mode, ourStepper(batch, resolution, [trains, ...more].join("+"), own, variant)];
  });
  const theirs = [...new Set(modes.map(referenceOf))];
  const reference =
    python &&
    theirs.map((name) => [name, stepper(python, [here("step-reference.py"), batch, resolution, name, variant], env)]);
  return Object.fromEntries([...ours, ...(reference ?? [])]);
}

/** The way of the reference that a mode is compared with. */
function referenceOf(mode) {
  return ["reference", ...["frozen", "heads", "bf16"].filter((way) => mode.split("+").includes(way))].join("-");
}

console.log(`RF-DETR ${variant} at ${resolution}, ${values.steps} steps after 3 of warm-up, medians`);
console.log(machine());
for (const threads of threadCounts)
  for (const batch of batches) {
    const results = await takeTurns(steppersOf(batch, threads), { warmUp: 3, rounds: Number(values.steps) });
    console.log(`\nbatch ${batch}, threads: ${threads}`);
    for (const [name, list] of Object.entries(results)) {
      const { median, least, most, peak, processor } = summarise(list);
      const theirs = results[referenceOf(name)];
      const reference = theirs && summarise(theirs);
      const ratio = (value, of) => (reference && !name.startsWith("reference") ? ` (${(value / of).toFixed(2)})` : "");
      console.log(
        `${name.padEnd(14)}  ${seconds(median)}${ratio(median, reference?.median)}, ${seconds(least)} to ${seconds(most)}; ` +
          `processor ${seconds(processor)}${ratio(processor, reference?.processor)}; ` +
          `peak ${gigabytes(peak)}${ratio(peak, reference?.peak)}`,
      );
    }
  }
console.log(
  python
    ? "\nIn brackets: ours divided by the reference's."
    : "\nThe reference was not timed: give --python PATH or RFDETR_PYTHON.",
);
