// What `watch` costs a training: steps of the quickstart's model while a watcher follows the run and a browser follows the watcher, and
// while the watcher is stopped (SIGSTOP), in turn, in one run. A round is as many steps of each.
// Usage: npm run bench:watch -- [--rounds 8] [--steps 20] [--chromium]
// By default the browser is a program that takes the events and does nothing with them; --chromium opens the page in a headless Chromium.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ratioOfMedians } from "../../src/bench/statistics.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { train } from "../../src/train/run.ts";
import { rngFromSeed } from "../../src/util/random/rng.ts";
import { findChromium, launchBrowser } from "../../tests/support/browser.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "8" },
    steps: { type: "string", default: "20" },
    chromium: { type: "boolean", default: false },
  },
});
const [rounds, steps] = [Number(values.rounds), Number(values.steps)];
const WARM_UP = 12;
const CLIENT = `let parts = 0, bytes = 0;
process.on("message", (url) => require("http").get(url, (response) => response.on("data", (chunk) => {
  bytes += chunk.length;
  parts += String(chunk).split("event: whole").length - 1;
})));
process.on("SIGTERM", () => process.send({ parts, bytes }, () => process.exit()));`;

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));
const scratch = await mkdtemp(join(tmpdir(), "bench-watch-"));
const run = join(scratch, "run");
const watcher = spawn(process.execPath, ["--import", "tsx", "src/cli/main.ts", "watch", run], {
  stdio: ["ignore", "pipe", "ignore"],
});
const url = String((await once(watcher.stdout, "data"))[0]).trim();
const client = spawn(process.execPath, ["-e", CLIENT], { stdio: ["ignore", "inherit", "inherit", "ipc"] });

/** Seconds of processor that the watcher has used. */
function processorSeconds() {
  const stat = readFileSync(`/proc/${watcher.pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

let browser;
async function openPage() {
  if (!values.chromium) return client.send(`${url}events?from=0`);
  browser = await launchBrowser(findChromium());
  const page = await browser.page();
  await page.resize(1280, 900);
  await page.open(url);
}

const blocks = { off: [], on: [] };
let used = 0;
const most = WARM_UP + 2 * rounds * steps;
const recipe = await loadRecipe("recipes/quickstart.yaml", {
  overrides: [
    ...[`train.max_steps=${most}`, "train.epochs=1000", "train.stages=null", "data.multi_scale=off"],
    ...["eval.every_epochs=1000", "checkpoint.every_epochs=1000", "export.onnx=false"],
  ],
});
let [step, last, sum] = [0, performance.now(), 0];
let began = 0;
/** Off and on in turn, and each of them first in every second round. */
const kindOf = (block) => (block % 4 === 0 || block % 4 === 3 ? "off" : "on");
function onEvent({ type }) {
  if (type !== "step") return;
  const now = performance.now();
  step++;
  const at = step - WARM_UP - 1;
  if (at >= 0) {
    sum += now - last;
    const block = Math.floor(at / steps);
    if (at % steps === steps - 1) {
      blocks[kindOf(block)].push(sum / steps);
      if (kindOf(block) === "on") used += processorSeconds() - began;
      sum = 0;
      turn(block + 1);
    }
  } else if (at === -1) turn(0);
  last = performance.now();
}
function turn(block) {
  const on = kindOf(block) === "on";
  process.kill(watcher.pid, on ? "SIGCONT" : "SIGSTOP");
  began = processorSeconds();
}

try {
  let opened = false;
  for await (const _ of train(recipe, {
    run,
    onEvent: (event) => {
      if (event.type === "start" && !opened) {
        opened = true;
        setTimeout(() => openPage().catch(console.error), 5000);
      }
      onEvent(event);
      if (step >= most) process.kill(watcher.pid, "SIGCONT");
    },
  }));
} finally {
  process.kill(watcher.pid, "SIGCONT");
  watcher.kill();
  await browser?.close();
}
client.kill("SIGTERM");
const [{ parts, bytes }] = await once(client, "message");
await rm(scratch, { recursive: true, force: true });

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const { value, low, high } = ratioOfMedians(blocks.off, blocks.on, { rng: rngFromSeed(1) });
const time = (blocks.on.reduce((a, b) => a + b, 0) * steps) / 1000;
console.log(`${rounds} rounds of ${steps} steps each, ${values.chromium ? "the page open in Chromium" : `${parts} pushes of ${Math.round(bytes / 1024)} KB in all`}`); // biome-ignore format: one line
console.log(
  `${cpus()[0]?.model}, ${availableParallelism()} cores, load ${loadavg()[0].toFixed(1)}, Node ${process.version}`,
);
console.log(`a step: stopped ${median(blocks.off).toFixed(1)} ms, watched ${median(blocks.on).toFixed(1)} ms, ratio ${value.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`); // biome-ignore format: one line
console.log(`the watcher used ${((100 * used) / time).toFixed(2)} % of one core`);
process.exit(0);
