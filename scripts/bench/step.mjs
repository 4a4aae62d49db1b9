// Time and memory of a training step beside the reference's: RF-DETR nano, forward, loss, gradients, clipping, AdamW and
// moving average; the two take turns on the same machine, each with its default number of threads.
// Usage: npm run bench:step -- [--python PATH] [--steps 10] [--batch 1] [--resolution 384]
// PATH (or RFDETR_PYTHON) is a Python that has rfdetr[train] 1.11.2; without one only our own step is timed.

import { parseArgs } from "node:util";
import { gigabytes, here, machine, ourStepper, seconds, stepper, summarise, takeTurns } from "./stepper.mjs";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: process.env.RFDETR_PYTHON },
    steps: { type: "string", default: "10" },
    batch: { type: "string", default: "1" },
    resolution: { type: "string", default: "384" },
  },
});
const { python, batch, resolution } = values;
const steppers = { ours: ourStepper(batch, resolution) };
if (python) steppers.reference = stepper(python, [here("step-reference.py"), batch, resolution]);
const results = await takeTurns(steppers, { warmUp: 2, rounds: Number(values.steps) });

console.log(`RF-DETR nano at ${resolution}, batch ${batch}, ${values.steps} steps after 2 of warm-up`);
console.log(machine());
for (const [name, list] of Object.entries(results)) {
  const { median, least, most, peak } = summarise(list);
  const threads = list[0].threads ? `, ${list[0].threads} threads` : "";
  console.log(
    `${name.padEnd(9)}  median ${seconds(median)} (${seconds(least)} to ${seconds(most)}), peak memory ${gigabytes(peak)}${threads}`,
  );
}
if (results.reference)
  console.log(`ratio      ${(summarise(results.ours).median / summarise(results.reference).median).toFixed(2)}`);
else console.log("The reference was not timed: give --python PATH or RFDETR_PYTHON.");
