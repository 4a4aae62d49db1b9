// What W&B costs a training: steps of the quickstart's model with W&B off, and with a W&B server that takes connections and
// never answers. Runs take turns, in one process; a round is one of each.
// Usage: npm run bench:wandb -- [--rounds 8] [--steps 40]

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ratioOfMedians } from "../../src/bench/statistics.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { train } from "../../src/train/run.ts";
import { rngFromSeed } from "../../src/util/random/rng.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "8" }, steps: { type: "string", default: "40" } },
});
const [rounds, steps] = [Number(values.rounds), Number(values.steps)];
const WARM_UP = 3;

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));
const scratch = await mkdtemp(join(tmpdir(), "bench-wandb-"));
const server = spawn(process.execPath, ["-e", HANGING()], { stdio: ["ignore", "pipe", "inherit"] });
const [port] = await once(server.stdout, "data");
Object.assign(process.env, { WANDB_BASE_URL: `http://127.0.0.1:${port}`, WANDB_API_KEY: "0".repeat(40) });

/** A server that says its port and nothing else. */
function HANGING() {
  return 'require("net").createServer((s) => s.on("error", () => {})).listen(0, "127.0.0.1", function () { console.log(this.address().port); })';
}

/** Milliseconds of each step, and from the last step to the end of the run. */
async function measure(name, wandb) {
  const overrides = [
    ...[`train.max_steps=${steps}`, "train.epochs=1000", "eval.every_epochs=1000", "checkpoint.every_epochs=1000"],
    ...["track.every_steps=1", `track.wandb=${wandb}`],
  ];
  const recipe = await loadRecipe("recipes/quickstart.yaml", { overrides });
  const times = [];
  let last = performance.now();
  const onEvent = ({ type }) => {
    if (type !== "step") return;
    times.push(performance.now() - last);
    last = performance.now();
  };
  for await (const _ of train(recipe, { run: join(scratch, name), onEvent }));
  return { times: times.slice(WARM_UP), end: performance.now() - last };
}

const results = { off: [], hanging: [] };
try {
  await measure("warm-up", "none");
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? ["off", "hanging"] : ["hanging", "off"];
    for (const kind of order)
      results[kind].push(await measure(`${kind}-${round}`, kind === "off" ? "none" : "{ project: bench }"));
  }
} finally {
  server.kill();
  await rm(scratch, { recursive: true, force: true });
}

const steady = (list) => list.flatMap(({ times }) => times);
const whole = (list) => list.map(({ times }) => times.reduce((sum, time) => sum + time, 0));
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const ratio = (of) => ratioOfMedians(of(results.off), of(results.hanging), { rng: rngFromSeed(1) });
const show = ({ value, low, high }) => `${value.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`;
console.log(
  `${rounds} rounds of ${steps} steps, the first ${WARM_UP} left out; W&B hanging against W&B off, 95 % intervals`,
);
console.log(
  `${cpus()[0]?.model}, ${availableParallelism()} cores, load ${loadavg()[0].toFixed(1)}, Node ${process.version}`,
);
for (const [name, of] of Object.entries({ "a step": steady, "a run's steps": whole }))
  console.log(
    `${name}: off ${median(of(results.off)).toFixed(1)} ms, hanging ${median(of(results.hanging)).toFixed(1)} ms, ratio ${show(ratio(of))}`,
  );
const ends = (list) => (median(list.map(({ end }) => end)) / 1000).toFixed(1);
console.log(
  `from the last step to the end, evaluation included: off ${ends(results.off)} s, hanging ${ends(results.hanging)} s`,
);
