// A detector so small that a run of it takes seconds: its pictures, its recipe, and what two runs of it must have in common.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";

const TIMING_FIELDS = ["time", "images_per_second", "data_wait"];

/** Everything random is drawn from this (mulberry32), so that a seed gives the same instants, up to the machine's speed. */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The items in a random order. */
export function shuffled(items, random) {
  return items
    .map((item) => ({ item, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

/** Write the data set and the recipe below `scratch`, a segmenter's where `masks` are asked for; returns the recipe's path. Epochs of three steps. */
export async function writeTinyRecipe(scratch, random, { masks = false, epochs = 2 } = {}) {
  await makeSplit(join(scratch, "data", "train"), 6, random);
  await makeSplit(join(scratch, "data", "valid"), 2, random);
  const file = join(scratch, "soak.yaml");
  await writeFile(file, JSON.stringify(recipe(join(scratch, "data"), { masks, epochs })));
  return file;
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
    const [right, bottom] = [left + 12, top + 12];
    const segmentation = [[left, top, right, top, right, bottom, left, bottom]];
    const bbox = [left, top, 12, 12];
    annotations.push({ id, image_id: id, category_id: 1, bbox, segmentation, area: 144, iscrowd: 0 });
  }
  const content = { images, annotations, categories: [{ id: 1, name: "square" }] };
  await writeFile(join(folder, "_annotations.coco.json"), JSON.stringify(content));
}

/** A checkpoint after every second step and every epoch, and a row after every step: rows say which steps were finished. */
const recipe = (data, { masks, epochs }) => ({
  ...{ name: "soak", weights: "none", device: "cpu" },
  model: {
    variant: "custom",
    segmentation_head: masks,
    encoder: { hidden_size: 24, num_attention_heads: 3, num_hidden_layers: 3, mlp_ratio: 2 },
    ...{ resolution: 32, patch_size: 8, num_windows: 2, positional_encoding_size: 4, out_feature_indexes: [1, 3] },
    ...{ projector_scale: ["P4"], hidden_dim: 16, dec_layers: 2, sa_nheads: 2, ca_nheads: 4, dec_n_points: 2 },
    ...{ dim_feedforward: 32, num_queries: 6, num_select: 6, group_detr: 3 },
  },
  data: { dir: data, batch_size: 1, workers: 0, allow_leaks: true }, // of drawn images two may be alike
  train: { epochs, grad_accum_steps: 2, lr: 1e-3, ema: { decay: 0.9, tau: 5 } },
  early_stopping: { metric: masks ? "segm AP50" : "AP50", patience: 5 },
  checkpoint: { every_steps: 2, keep_last: 2, keep_best: 1 },
  track: { every_steps: 1 },
  export: { onnx: false },
});

/** Files of a run that have the same bytes in every run of the recipe, and its rows without what measures time. */
export async function outcome(dir, links = ["last", "best"]) {
  const content = {};
  for (const link of links)
    for (const file of ["model.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json"])
      content[`${link}/${file}`] = await readFile(join(dir, "checkpoints", link, file), "base64");
  content["metrics.jsonl"] = (await rowsOf(dir))
    .map((row) => JSON.stringify(row, (key, value) => (TIMING_FIELDS.includes(key) ? undefined : value)))
    .join("\n");
  return content;
}

/** What differs between two outcomes. */
export function differences(expected, actual) {
  return Object.keys({ ...expected, ...actual }).filter((key) => actual[key] !== expected[key]);
}

/** The rows of a run that were written whole. */
async function rowsOf(dir) {
  const text = await readFile(join(dir, "metrics.jsonl"), "utf8").catch(() => "");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** The last step that a run has finished, as its rows say. */
export async function lastStep(dir) {
  return Math.max(0, ...(await rowsOf(dir)).filter(({ split }) => split === "train").map(({ step }) => step));
}
