// Whether a fine-tuning ends where it ends in the reference: both train from the same weights on the same batches in the same order. Mini at 128
// for 504 steps on datasets/trees, and nano's own layers at 160 from scratch for 72; the mean loss of the last 50 steps of both, AP50 of their
// averaged and raw weights on the validation tiles.
// With `--amp bf16` both compute in bfloat16: ours as train.amp_dtype has it, the reference's network under torch.autocast.
// Usage: npm run bench:parity -- --python PATH [--cases mini,nano] [--seeds 7,8,9] [--amp bf16] [--folder .cache/parity] [--chart docs/learning.svg]
// What is done already is in the folder and not done again. PATH (or RFDETR_PYTHON) is a Python that has rfdetr[train] 1.11.2.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { lossChart } from "./lossChart.mjs";
import { here, machine } from "./stepper.mjs";
import { evaluated, mean, spread, trainInto, trainLosses } from "./trained.mjs";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: process.env.RFDETR_PYTHON },
    cases: { type: "string", default: "mini,nano" },
    seeds: { type: "string", default: "7,8,9" },
    amp: { type: "string", default: "none" },
    folder: { type: "string", default: here("../../.cache/parity") },
    chart: { type: "string" },
  },
});
if (!values.python) throw new Error("Give --python PATH, of a Python that has rfdetr[train] 1.11.2.");
const LAST = 50;
const TREES = here("../../datasets/trees");
const QUIET = { "track.every_steps": 1, "track.tensorboard": false, "export.onnx": false, "eval.every_epochs": 1000, "eval.run_test": false, "checkpoint.every_epochs": 1000, "checkpoint.keep_last": 9 }; // biome-ignore format: one line
const CASES = {
  mini: ["quickstart", { "model.resolution": 128, "train.stages": null, "train.epochs": 28 }],
  nano: ["trees-nano", { weights: "none", "model.resolution": 160, "train.epochs": 4, "data.multi_scale": "off" }],
};

/** Runs a program; what it says goes on. */
function run(program, args) {
  const { status } = spawnSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: exit code ${status}`);
}

/** Train both; their losses and AP50, from the folder where they are there already. */
function compare(name, seed) {
  const folder = join(values.folder, values.amp === "none" ? `${name}-${seed}` : `${name}-${seed}-${values.amp}`);
  const done = join(folder, "result.json");
  if (existsSync(done)) return JSON.parse(readFileSync(done, "utf8"));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const [recipe, set] = CASES[name];
  const ours = join(folder, "run");
  const own = { seed, "data.dir": TREES, "train.amp_dtype": values.amp };
  const rows = trainInto(ours, here(`../../recipes/${recipe}.yaml`), { ...QUIET, ...set, ...own });
  copyFileSync(join(ours, "checkpoints", "0000-00000000", "model.safetensors"), join(folder, "start.safetensors"));
  run(process.execPath, ["--import", "tsx", here("parity-batches.ts"), ours, folder]);
  run(values.python, [here("parity-reference.py"), folder, values.amp]);
  rmSync(join(folder, "batches.f32"));
  const losses = trainLosses(rows);
  const last = join(ours, "checkpoints", "last");
  const ap = (weights) => evaluated(weights, { run: ours, data: TREES }).AP50;
  const result = {
    ours: { losses, ema: ap(join(last, "ema.safetensors")), raw: ap(join(last, "model.safetensors")) },
    reference: {
      losses: JSON.parse(readFileSync(join(folder, "losses.json"), "utf8")),
      ema: ap(join(folder, "ema.safetensors")),
      raw: ap(join(folder, "raw.safetensors")),
    },
  };
  writeFileSync(done, JSON.stringify(result));
  return result;
}

console.log(`${machine()}, train.amp_dtype: ${values.amp}`);
const curves = [];
for (const name of values.cases.split(",")) {
  console.log(
    `\n| ${name} | loss of step 1 | mean loss of the last ${LAST}: ours, reference | AP50 averaged: ours, reference | AP50 raw: ours, reference |`,
  );
  console.log("|---|---|---|---|---|");
  const averaged = { ours: [], reference: [] };
  for (const seed of values.seeds.split(",")) {
    const { ours, reference } = compare(name, seed);
    const [mine, theirs] = [ours, reference].map(({ losses }) => mean(losses.slice(-LAST)));
    const apart = `${((mine / theirs - 1) * 100).toFixed(2)} %`;
    const first = Math.abs(ours.losses[0] / reference.losses[0] - 1).toExponential(1);
    const pair = (what) => `${ours[what].toFixed(3)}, ${reference[what].toFixed(3)}`;
    console.log(`| seed ${seed} | ${ours.losses[0].toFixed(3)}, ${first} apart | ${mine.toFixed(3)}, ${theirs.toFixed(3)} (${apart}) | ${pair("ema")} | ${pair("raw")} |`); // biome-ignore format: one line
    averaged.ours.push(ours.ema);
    averaged.reference.push(reference.ema);
    curves.push({ name, seed, ours: ours.losses, reference: reference.losses });
  }
  const { ours, reference } = averaged;
  console.log(`AP50 averaged: ours ${mean(ours).toFixed(3)}, the reference ${mean(reference).toFixed(3)}, whose seeds are ${spread(reference).toFixed(3)} apart`); // biome-ignore format: one line
}
if (values.chart) writeFileSync(values.chart, lossChart(curves));
