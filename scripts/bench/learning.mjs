// Whether the network learns in bfloat16 as in float32: recipes/quickstart.yaml, a small network on datasets/trees, for some steps in both
// precisions from several seeds; the mean loss of the last 50 steps and AP50 of each, and whether those of bfloat16 lie as near to
// float32's mean as float32's own seeds do.
// Usage: npm run bench:learning -- [--steps 300] [--seeds 7,8,9] [--precisions none,bf16] [--compile graph]

import { parseArgs } from "node:util";
import { here, machine } from "./stepper.mjs";
import { trainedRows } from "./trainedRows.mjs";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "300" },
    seeds: { type: "string", default: "7,8,9" },
    precisions: { type: "string", default: "none,bf16" },
    compile: { type: "string", default: "graph" },
  },
});
const [seeds, precisions] = [values.seeds, values.precisions].map((list) => list.split(","));
const LAST = 50;

function learn(seed, precision) {
  const set = {
    "train.max_steps": values.steps,
    "train.amp_dtype": precision,
    "train.compile": values.compile,
    ...{ seed, "eval.every_epochs": 100, "checkpoint.every_epochs": 100, "track.every_steps": 1, "export.onnx": false },
  };
  const began = performance.now();
  const rows = trainedRows(here("../../recipes/quickstart.yaml"), set);
  const losses = rows.filter(({ split }) => split === "train").map(({ loss }) => loss);
  const loss = mean(losses.slice(-LAST));
  const { AP50 } = rows.findLast(({ split }) => split === "val");
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${precision.padEnd(5)} seed ${seed}  loss ${loss.toFixed(4)}  AP50 ${AP50.toFixed(4)}  ${seconds.toFixed(0)} s`,
  );
  return { loss, AP50 };
}

const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;

console.log(`quickstart, ${values.steps} steps, compile: ${values.compile}; ${machine()}`);
const results = Object.fromEntries(precisions.map((precision) => [precision, []]));
for (const seed of seeds) for (const precision of precisions) results[precision].push(learn(seed, precision));
const float32 = results.none;
for (const name of float32 ? ["loss", "AP50"] : []) {
  const of = (list) => list.map((one) => one[name]);
  const middle = mean(of(float32));
  const spread = Math.max(...of(float32)) - Math.min(...of(float32));
  for (const [precision, list] of Object.entries(results))
    console.log(`${name}: ${precision} mean ${mean(of(list)).toFixed(4)}, ${(mean(of(list)) - middle).toFixed(4)} from float32's, whose seeds are ${spread.toFixed(4)} apart`); // biome-ignore format: one line
}
