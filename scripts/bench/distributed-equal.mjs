// Whether several workers learn what one process learns: runs of one recipe by 1, 2 and 4 workers, losses step by step and how far the weights
// are apart at the end, as a share of how far they have moved.
// Beside it: one process that computes the same steps in batches twice as large, which rounds otherwise, too.
// Usage: node --import tsx scripts/bench/distributed-equal.mjs [--recipe recipes/trees-nano.yaml] [--workers 2,4] [--set KEY=VALUE]
// Default: nano's own layers at 160 from scratch, 20 steps of four images.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readSafetensors } from "../../src/checkpoint/safetensors.ts";
import { toFloat32 } from "../../src/util/hostTensor.ts";
import { here, machine } from "./stepper.mjs";
import { trainInto, trainLosses } from "./trained.mjs";

const { values } = parseArgs({
  options: {
    recipe: { type: "string", default: here("../../recipes/trees-nano.yaml") },
    workers: { type: "string", default: "2,4" },
    set: { type: "string", multiple: true, default: [] },
  },
});
const SET = {
  ...{ weights: "none", "model.resolution": 160, "data.multi_scale": "off", "data.batch_size": 1, "data.workers": 1 },
  ...{ "train.grad_accum_steps": 4, "train.max_steps": 20, "track.every_steps": 1, "track.tensorboard": false },
  ...{ "export.onnx": false, "eval.run_test": false, "checkpoint.keep_last": 9 },
  ...Object.fromEntries(values.set.map((one) => one.split(/=(.*)/s))),
};

const scratch = mkdtempSync(join(tmpdir(), "rfdetr-equal-"));
try {
  console.log(machine());
  const one = await learned(1);
  const moved = apart(one.start, one.end);
  const others = [
    ["one process, other batches", 1, { "data.batch_size": 2, "train.grad_accum_steps": 2 }],
    ...values.workers.split(",").map((count) => [`${count} workers`, Number(count)]),
  ];
  for (const [name, workers, set = {}] of others) {
    const several = await learned(workers, set);
    const worst = Math.max(...one.losses.map((loss, i) => Math.abs(several.losses[i] / loss - 1)));
    const share = apart(one.end, several.end) / moved;
    console.log(
      `${name}, ${one.losses.length} steps: losses within ${worst.toExponential(1)} of one process', ` +
        `weights ${(100 * share).toExponential(1)} % of the distance moved apart, AP50 ${several.AP50} and ${one.AP50}`,
    );
  }
} finally {
  rmSync(scratch, { recursive: true });
}

async function learned(workers, set = {}) {
  const run = mkdtempSync(join(scratch, "run-"));
  const rows = trainInto(run, values.recipe, { ...SET, ...set }, { workers });
  const weights = async (checkpoint) =>
    (await readSafetensors(join(run, "checkpoints", checkpoint, "model.safetensors"))).tensors;
  const { AP50 } = rows.findLast(({ split }) => split === "val");
  return { losses: trainLosses(rows), AP50, start: await weights("0000-00000000"), end: await weights("last") };
}

/** Euclidean distance of two sets of weights. */
function apart(a, b) {
  let sum = 0;
  for (const [name, tensor] of a) {
    const [one, two] = [toFloat32(tensor), toFloat32(b.get(name))];
    for (const [i, value] of one.entries()) sum += (value - two[i]) ** 2;
  }
  return Math.sqrt(sum);
}
