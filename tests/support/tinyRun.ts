// A data set and runs small enough to train whole in a test.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import sharp from "sharp";
import { expect } from "vitest";
import { predictToFolder } from "../../src/eval/predict/predictToFolder.ts";
import type { RecipeInput } from "../../src/recipe/input.ts";
import { resolveRecipe } from "../../src/recipe/load.ts";
import type { MetricsRow, TrainEvent } from "../../src/run/events.ts";
import { TIMING_FIELDS } from "../../src/run/records/metricsFile.ts";
import { rngFromSeed } from "../../src/util/random/rng.ts";

/**
 * A data set of 7 training and 3 validation images in a folder, and with `test` 5 of a test split. `masks`: a triangle in every box but
 * each fourth.
 */
export async function tinyDataset(
  folder: string,
  { masks = false, test = false }: { masks?: boolean; test?: boolean } = {},
): Promise<void> {
  for (const [split, images] of [["train", 7], ["valid", 3], ...(test ? [["test", 5] as const] : [])] as const)
    await pictures(join(folder, split), images, masks);
}

/** Make the labels of a split's images what weights find there, so that a run that begins from them finds them, too. */
export async function labelAsFound(weights: string, { images, out }: { images: string; out: string }): Promise<void> {
  const found = await predictToFolder({ weights, images: [images], out, threshold: 0, maxDets: 2, device: "cpu" });
  const file = join(images, "_annotations.coco.json");
  const labels = JSON.parse(await readFile(file, "utf8"));
  const idOf = new Map(labels.images.map((image: { file_name: string; id: number }) => [image.file_name, image.id]));
  labels.annotations = found.images
    .flatMap(({ file_name: name, detections }) =>
      detections.map(({ bbox, category_id }) => {
        return { image_id: idOf.get(basename(name)), bbox, category_id, area: bbox[2] * bbox[3], iscrowd: 0 };
      }),
    )
    .map((one, id) => ({ id: id + 1, ...one }));
  await writeFile(file, JSON.stringify(labels));
}

/** Dark images with one or two bright rectangles of two classes. */
async function pictures(folder: string, count: number, masks: boolean): Promise<void> {
  await mkdir(folder, { recursive: true });
  const rng = rngFromSeed(count);
  const images = [];
  const annotations = [];
  for (let id = 0; id < count; id++) {
    const [width, height] = [40 + id, 36];
    const file = `${id}.png`;
    images.push({ id, file_name: file, width, height });
    const overlays = [];
    for (let box = 0; box <= id % 2; box++) {
      const category = rng.int(2);
      const [w, h] = [8 + rng.int(8), 8 + rng.int(8)];
      const [x, y] = [rng.int(width - w), rng.int(height - h)];
      const background = category === 0 ? { r: 250, g: 80, b: 40 } : { r: 40, g: 220, b: 250 };
      const input = { create: { width: w, height: h, channels: 3 as const, background } };
      overlays.push({ input, left: x, top: y });
      annotations.push({
        id: annotations.length,
        image_id: id,
        category_id: category + 1,
        bbox: [x, y, w, h],
        area: w * h,
        iscrowd: 0,
        ...(masks && annotations.length % 4 < 3 && { segmentation: [[x, y, x + w, y, x, y + h]] }),
      });
    }
    const background = { r: 30, g: 40, b: 30 };
    await sharp({ create: { width, height, channels: 3, background } })
      .composite(overlays)
      .png()
      .toFile(join(folder, file));
  }
  const categories = [
    { id: 1, name: "red" },
    { id: 2, name: "blue" },
  ];
  await writeFile(join(folder, "_annotations.coco.json"), JSON.stringify({ images, annotations, categories }));
}

/** A recipe for TINY on the data set at `dir`: 7 training images, 10 steps. */
export function tinyRecipe(
  dir: string,
  changes: Pick<RecipeInput, "model" | "train" | "eval" | "selection" | "checkpoint" | "track" | "export"> = {},
) {
  return resolveRecipe({
    name: "tiny",
    weights: "none",
    device: "cpu",
    model: {
      variant: "custom",
      encoder: { hidden_size: 24, num_attention_heads: 3, num_hidden_layers: 3, mlp_ratio: 2 },
      ...{ resolution: 32, patch_size: 8, num_windows: 2, positional_encoding_size: 4, out_feature_indexes: [1, 3] },
      ...{ projector_scale: ["P4"], hidden_dim: 16, dec_layers: 2, sa_nheads: 2, ca_nheads: 4, dec_n_points: 2 },
      ...{ dim_feedforward: 32, num_queries: 6, num_select: 6, group_detr: 3 },
      ...changes.model,
    },
    data: { dir, batch_size: 1, workers: 1 },
    train: { epochs: 2, grad_accum_steps: 2, lr: 1e-3, ema: { decay: 0.9, tau: 5 }, ...changes.train },
    eval: { ...changes.eval },
    selection: { ...changes.selection },
    checkpoint: { ...changes.checkpoint },
    track: { every_steps: 1, ...changes.track },
    export: { onnx: false, ...changes.export },
  });
}

/** Run to the end or to an abort after the given step; returns the rows and events. */
export async function collect(
  start: (options: { signal: AbortSignal; onEvent: (event: TrainEvent) => void }) => AsyncIterable<MetricsRow>,
  stopAfter = Number.POSITIVE_INFINITY,
) {
  const events: TrainEvent[] = [];
  const rows: MetricsRow[] = [];
  const controller = new AbortController();
  const onEvent = (event: TrainEvent) => {
    events.push(event);
    if (event.type === "step" && event.row.step >= stopAfter) controller.abort();
  };
  for await (const row of start({ signal: controller.signal, onEvent })) rows.push(row);
  return { rows, events, end: events.at(-1) as Extract<TrainEvent, { type: "end" }> };
}

/** The rows of metrics.jsonl without what measures time. */
export async function rowsOf(run: string): Promise<object[]> {
  const lines = (await readFile(join(run, "metrics.jsonl"), "utf8")).trimEnd().split("\n");
  return lines.map((line) => {
    const row = JSON.parse(line) as Record<string, unknown>;
    for (const field of TIMING_FIELDS) delete row[field];
    return row;
  });
}

/** Both have the same rows, and the same bytes in their last and best checkpoints. */
export async function expectSameRun(a: string, b: string) {
  expect(await rowsOf(b)).toEqual(await rowsOf(a));
  for (const link of ["last", "best"]) {
    for (const file of ["model.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json"]) {
      const [one, two] = [a, b].map((run) => readFile(join(run, "checkpoints", link, file)));
      expect(Buffer.compare(await one!, await two!), `${link}/${file}`).toBe(0);
    }
  }
}
