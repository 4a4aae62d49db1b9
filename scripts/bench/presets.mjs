// AP with each preset of augmentation and without any: fine-tuning from weights (or from scratch) on datasets/trees and datasets/nuclei, some
// seeds each. Runs that are in the file of results are not done again, so that it may be stopped and started at any time.
// Usage: npm run bench:presets -- [--weights none] [--seeds 1,2,3] [--epochs 16] [--results .cache/presets.jsonl]

import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { here, machine } from "./stepper.mjs";
import { trained } from "./trained.mjs";

const { values } = parseArgs({
  options: {
    weights: { type: "string", default: "none" },
    seeds: { type: "string", default: "1,2,3" },
    epochs: { type: "string", default: "16" },
    results: { type: "string", default: here("../../.cache/presets.jsonl") },
  },
});
const PRESETS = ["none", "default", "conservative", "aggressive", "aerial", "industrial"];
const DATASETS = ["trees", "nuclei"];
const { weights, epochs } = values;

mkdirSync(dirname(values.results), { recursive: true });
const done = existsSync(values.results)
  ? readFileSync(values.results, "utf8").trim().split("\n").filter(Boolean).map(JSON.parse)
  : [];

/** The best evaluation of a run. */
function learn(dataset, preset, seed) {
  const set = {
    ...{ seed, weights, "train.epochs": epochs, "eval.every_epochs": 2, "checkpoint.every_epochs": 100 },
    ...{ "data.dir": here(`../../datasets/${dataset}`), "data.augment": preset, "export.onnx": false },
  };
  const { rows } = trained(here("../../recipes/quickstart.yaml"), set);
  const evaluations = rows.filter(({ split }) => split === "val");
  const best = evaluations.reduce((a, b) => (b["AP50:95"] > a["AP50:95"] ? b : a));
  return { AP: best["AP50:95"], AP50: best.AP50 };
}

const isSame = (a, b) => ["weights", "epochs", "dataset", "preset", "seed"].every((key) => a[key] === b[key]);

console.log(`quickstart from ${weights}, ${epochs} epochs; ${machine()}`);
for (const seed of values.seeds.split(","))
  for (const dataset of DATASETS)
    for (const preset of PRESETS) {
      const wanted = { weights, epochs, dataset, preset, seed };
      if (done.some((one) => isSame(one, wanted))) continue;
      const result = { ...wanted, ...learn(dataset, preset, seed) };
      done.push(result);
      appendFileSync(values.results, `${JSON.stringify(result)}\n`);
      console.log(`${dataset} ${preset} seed ${seed}: AP50:95 ${result.AP.toFixed(3)}, AP50 ${result.AP50.toFixed(3)}`);
    }

/** Mean and, behind it, the smallest and the largest. */
function spread(numbers) {
  const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
  return `${mean.toFixed(3)} (${Math.min(...numbers).toFixed(3)} to ${Math.max(...numbers).toFixed(3)})`;
}

console.log(`\n| preset | ${DATASETS.flatMap((name) => [`${name} AP50:95`, `${name} AP50`]).join(" | ")} |`);
console.log(`|---|${DATASETS.map(() => "---|---|").join("")}`);
for (const preset of PRESETS) {
  const cells = DATASETS.flatMap((dataset) => {
    const of = done.filter((one) => one.dataset === dataset && one.preset === preset && one.weights === weights && one.epochs === epochs); // biome-ignore format: one line
    return [spread(of.map(({ AP }) => AP)), spread(of.map(({ AP50 }) => AP50))];
  });
  console.log(`| \`${preset}\` | ${cells.join(" | ")} |`);
}
