// What gradient checkpointing and a frozen encoder save: peak memory and time of a training step of RF-DETR nano, each way
// in a process of its own, the processes taking turns.
// Usage: npm run bench:memory -- [--steps 5] [--batch 4] [--resolution 384] [--modes none,all,frozen]

import { parseArgs } from "node:util";
import { gigabytes, machine, ourStepper, seconds, summarise, takeTurns } from "./stepper.mjs";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "5" },
    batch: { type: "string", default: "4" },
    resolution: { type: "string", default: "384" },
    modes: { type: "string", default: "none,backbone,decoder,all,frozen" },
  },
});
const { batch, resolution } = values;
const steppers = Object.fromEntries(values.modes.split(",").map((mode) => [mode, ourStepper(batch, resolution, mode)]));
const results = await takeTurns(steppers, { warmUp: 1, rounds: Number(values.steps) });

console.log(`RF-DETR nano at ${resolution}, batch ${batch}, medians of ${values.steps} steps after 1 of warm-up`);
console.log(machine());
const [first] = Object.values(results).map(summarise);
for (const [mode, list] of Object.entries(results)) {
  const { median, peak } = summarise(list);
  console.log(
    `${mode.padEnd(9)}  ${seconds(median)} (${(median / first.median).toFixed(2)})  ` +
      `peak ${gigabytes(peak)} (${(peak / first.peak).toFixed(2)})`,
  );
}
