// Kills runs of a tiny detector (SIGKILL) at random instants and resumes each until it is done: every one must end in the same
// bytes as a run that was left alone, and no checkpoint that is listed may be incomplete.
// Usage: npm run soak [-- RUNS [--seed N] [--minutes M] [--dist DIR]]; DIR is a build to use in place of a fresh one.

import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import sharp from "sharp";

const root = fileURLToPath(new URL("..", import.meta.url));
const TIMING_FIELDS = ["images_per_second", "data_wait"];

/** Everything random here is drawn from this (mulberry32), so that a seed gives the same kills, up to the machine's speed. */
function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Dark pictures with one bright square each. */
async function makeSplit(folder, count, random) {
  await mkdir(folder, { recursive: true });
  const images = [];
  const annotations = [];
  const square = { create: { width: 12, height: 12, channels: 3, background: { r: 250, g: 220, b: 60 } } };
  for (let id = 0; id < count; id++) {
    const [left, top] = [Math.floor(random() * 20), Math.floor(random() * 20)];
    const file = `${id}.png`;
    await sharp({ create: { width: 32, height: 32, channels: 3, background: { r: 20, g: 40, b: 30 } } })
      .composite([{ input: square, left, top }])
      .png()
      .toFile(join(folder, file));
    images.push({ id, file_name: file, width: 32, height: 32 });
    annotations.push({ id, image_id: id, category_id: 1, bbox: [left, top, 12, 12], area: 144, iscrowd: 0 });
  }
  const content = { images, annotations, categories: [{ id: 1, name: "square" }] };
  await writeFile(join(folder, "_annotations.coco.json"), JSON.stringify(content));
}

/** Two epochs of three steps, a checkpoint after every second step and every epoch. */
const recipe = (data) => ({
  ...{ name: "soak", weights: "none", device: "cpu" },
  model: {
    variant: "custom",
    encoder: { hidden_size: 24, num_attention_heads: 3, num_hidden_layers: 3, mlp_ratio: 2 },
    ...{ resolution: 32, patch_size: 8, num_windows: 2, positional_encoding_size: 4, out_feature_indexes: [1, 3] },
    ...{ projector_scale: ["P4"], hidden_dim: 16, dec_layers: 2, sa_nheads: 2, ca_nheads: 4, dec_n_points: 2 },
    ...{ dim_feedforward: 32, num_queries: 6, num_select: 6, group_detr: 3 },
  },
  data: { dir: data, batch_size: 1, workers: 0 },
  train: { epochs: 2, grad_accum_steps: 2, lr: 1e-3, ema: { decay: 0.9, tau: 5 } },
  early_stopping: { metric: "AP50", patience: 5 },
  checkpoint: { every_steps: 2, keep_last: 2, keep_best: 1 },
  track: { every_steps: 1 },
  export: { onnx: false },
});

/** Run the command line; `killAfter` in ms. Returns the exit code (null where it was killed) and what it printed. */
function run(command, words, killAfter) {
  return new Promise((done, fail) => {
    const child = spawn(command[0], [...command.slice(1), ...words], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => {
        output += chunk;
      });
    const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfter);
    child.on("error", fail);
    child.on("close", (code) => {
      clearTimeout(timer);
      done({ code, output });
    });
  });
}

/** What two runs of the recipe must have in common: the bytes of the tensors and of the state, and the metrics. */
async function outcome(dir) {
  const content = {};
  for (const link of ["last", "best"])
    for (const file of ["model.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json"])
      content[`${link}/${file}`] = await readFile(join(dir, "checkpoints", link, file), "base64");
  const rows = (await readFile(join(dir, "metrics.jsonl"), "utf8")).trimEnd().split("\n");
  content["metrics.jsonl"] = rows
    .map((line) => JSON.stringify(JSON.parse(line), (key, value) => (TIMING_FIELDS.includes(key) ? undefined : value)))
    .join("\n");
  return content;
}

/**
 * Do `runs` runs, each killed up to `mostKills` times. `command` starts the command line, `store` is the module src/checkpoint/store/store of the same version.
 * Returns how many were done (fewer where `minutes` were over), how often they were killed, and what was wrong.
 */
export async function soak({
  runs,
  seed,
  minutes = Number.POSITIVE_INFINITY,
  mostKills = 4,
  command,
  store,
  say = () => {},
}) {
  const random = randomOf(seed);
  const scratch = await mkdtemp(join(tmpdir(), "soak-"));
  const until = performance.now() + minutes * 60_000;
  const faults = [];
  let [done, kills, killsWithCheckpoint] = [0, 0, 0];
  try {
    await makeSplit(join(scratch, "data", "train"), 6, random);
    await makeSplit(join(scratch, "data", "valid"), 2, random);
    const file = join(scratch, "soak.yaml");
    await writeFile(file, JSON.stringify(recipe(join(scratch, "data"))));
    let time = Number.POSITIVE_INFINITY;
    let expected = {};
    for (const whole of [join(scratch, "whole"), join(scratch, "again")]) {
      const began = performance.now();
      const { code, output } = await run(command, ["--recipe", file, "--run", whole]);
      if (code !== 0) throw new Error(`the run that is left alone failed:\n${output}`);
      time = Math.min(time, performance.now() - began); // the first one finds nothing in the disk cache
      expected = await outcome(whole);
    }
    say(`a run that is left alone takes ${(time / 1000).toFixed(1)} s`);

    while (done < runs && performance.now() < until) {
      const name = `run ${done + 1}`;
      const dir = join(scratch, `run-${done + 1}`);
      const checkpoints = join(dir, "checkpoints");
      const moments = [];
      for (const most = 1 + Math.floor(random() * mostKills); ; ) {
        const begun = existsSync(join(dir, "recipe.yaml")) && (await store.listCheckpoints(checkpoints)).length > 0;
        if (begun && moments.length > 0) killsWithCheckpoint++;
        const words = begun ? ["resume", dir] : ["--recipe", file, "--run", dir];
        const killAfter = moments.length < most ? Math.round(random() * time) : undefined;
        const { code, output } = await run(command, words, killAfter);
        for (const one of await store.listCheckpoints(checkpoints))
          await store.verifyCheckpoint(join(checkpoints, one.name)).catch((error) => {
            faults.push(`${name}: listed, but not whole: ${error.message}`);
          });
        if (code === 0) break;
        if (code !== null) {
          faults.push(`${name}: exit code ${code} of ${words.join(" ")}, after kills at ${moments} ms:\n${output}`);
          break;
        }
        kills++;
        moments.push(killAfter);
      }
      const actual = await outcome(dir).catch((error) => ({ error: error.message }));
      const different = Object.keys({ ...expected, ...actual }).filter((key) => actual[key] !== expected[key]);
      if (different.length > 0) faults.push(`${name}: differs in ${different.join(", ")}; kills at ${moments} ms`);
      say(
        `${name}: ${moments.length} kills (${moments.join(", ")} ms), ${different.length === 0 ? "same bytes" : "DIFFERENT"}`,
      );
      done++;
      await rm(dir, { recursive: true, force: true });
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { done, kills, killsWithCheckpoint, faults };
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { ensureBuilt } = await import("./build.mjs");
  const words = process.argv.slice(2);
  const option = (name, value) => (words.includes(name) ? Number(words.splice(words.indexOf(name), 2)[1]) : value);
  const seed = option("--seed", 1);
  const minutes = option("--minutes", Number.POSITIVE_INFINITY);
  const dist = words.includes("--dist") ? words.splice(words.indexOf("--dist"), 2)[1] : join(root, "dist");
  const runs = Number(words[0] ?? 200);
  if (dist === join(root, "dist")) await ensureBuilt();
  const store = await import(pathToFileURL(resolve(dist, "checkpoint", "store", "store.js")).href);
  const command = [process.execPath, resolve(dist, "cli", "main.js")];
  const result = await soak({ runs, seed, minutes, command, store, say: console.log });
  for (const fault of result.faults) console.error(fault);
  const { done, kills, killsWithCheckpoint, faults } = result;
  console.log(
    `${done} of ${runs} runs, killed ${kills} times (${killsWithCheckpoint} with a checkpoint to go on from), seed ${seed}: ` +
      `${faults.length === 0 ? "every one ended in the same bytes" : `${faults.length} faults`}`,
  );
  process.exitCode = faults.length === 0 && done === runs ? 0 : 1;
}
