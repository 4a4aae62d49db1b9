// What a choice does to learning: recipes/quickstart.yaml for some epochs of 18 steps from several seeds, in each of several ways; the mean loss of the last 50
// steps, AP50 of the averaged and of the raw weights on the validation tiles, with how far its seeds are apart.
// Usage: npm run bench:learning -- [--ways float32,bf16] [--epochs 17] [--seeds 7,8,9] [--compile graph] [--resolution 128]
// Ways: float32, as it is but for the stages; bf16, products in bfloat16; staged, the recipe's stages; scratch, without weights to start from, at the
// recipe's rate; scratch-fast, at twice that.

import { parseArgs } from "node:util";
import { here, machine } from "./stepper.mjs";
import { mean, spread, trained, trainLosses } from "./trained.mjs";

const { values } = parseArgs({
  options: {
    epochs: { type: "string", default: "17" },
    seeds: { type: "string", default: "7,8,9" },
    ways: { type: "string", default: "float32,bf16" },
    compile: { type: "string", default: "graph" },
    resolution: { type: "string", default: "128" },
  },
});
const [seeds, ways] = [values.seeds, values.ways].map((list) => list.split(","));
const LAST = 50;
const WAYS = {
  float32: {},
  bf16: { "train.amp_dtype": "bf16" },
  staged: { "train.stages": "[{from_epoch: 0, train: [heads, decoder]}, {from_epoch: 2, train: [all]}]" },
  scratch: { weights: "none" },
  "scratch-fast": { weights: "none", "train.lr": 1e-3, "train.lr_encoder": 1e-3 },
};
const unknown = ways.filter((way) => !WAYS[way]);
if (unknown.length > 0)
  throw new Error(`There is no way ${unknown.join(", ")}. Known: ${Object.keys(WAYS).join(", ")}.`);

function learn(seed, way) {
  const set = {
    ...{ "train.epochs": values.epochs, "train.compile": values.compile, "train.stages": null },
    ...{
      seed,
      "model.resolution": values.resolution,
      "data.dir": here("../../datasets/trees"),
      "eval.run_test": false,
    },
    ...{ "eval.every_epochs": 1000, "checkpoint.every_epochs": 1000, "track.every_steps": 1, "export.onnx": false },
    ...WAYS[way],
  };
  const began = performance.now();
  const { rows, evaluate } = trained(here("../../recipes/quickstart.yaml"), set, {
    weights: ["last/model.safetensors"],
  });
  const loss = mean(trainLosses(rows).slice(-LAST));
  const { AP50 } = rows.findLast(({ split }) => split === "val");
  const [raw] = evaluate;
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${way.padEnd(12)} seed ${seed}  loss ${loss.toFixed(4)}  AP50 ${AP50.toFixed(4)}, raw ${raw.AP50.toFixed(4)}  ${seconds.toFixed(0)} s`,
  );
  return { loss, AP50, raw: raw.AP50 };
}

console.log(`quickstart at ${values.resolution}, ${values.epochs} epochs, compile: ${values.compile}; ${machine()}`);
const results = Object.fromEntries(ways.map((way) => [way, []]));
for (const seed of seeds) for (const way of ways) results[way].push(learn(seed, way));
console.log("\n| way | mean loss of the last 50 steps | AP50 averaged | AP50 raw |\n|---|---|---|---|");
for (const [way, list] of Object.entries(results)) {
  const cells = ["loss", "AP50", "raw"].map((name) => {
    const of = list.map((one) => one[name]);
    return `${mean(of).toFixed(3)} (seeds ${spread(of).toFixed(3)} apart)`;
  });
  console.log(`| ${way} | ${cells.join(" | ")} |`);
}
