// The files of a run's folder, by name. No other module spells them.

import { join } from "node:path";

const NAMES = {
  recipe: "recipe.yaml",
  environment: "environment.json",
  split: "split.json",
  metrics: "metrics.jsonl",
  results: "results.csv",
  log: "log.jsonl",
  report: "report.html",
  evaluation: "evaluation.json",
  bestEvaluation: "evaluation-best.json",
  testEvaluation: "evaluation-test.json",
  pictures: "evaluation",
  /** Small copies of validation pictures. */
  thumbnails: "thumbnails.json",
  /** A few of them, and what every evaluation found there. */
  fixedPictures: "fixed-pictures.json",
  firstBatch: "first-batch.json",
  lastBatch: "last-batch.json",
  tensorboard: "tensorboard",
  wandbIdentity: "wandb.json",
  /** What is kept for W&B until it is there, and runs as files for `wandb sync`. */
  wandb: "wandb",
  onnx: "model.onnx",
  exported: "export.json",
  checkpoints: "checkpoints",
  /** Names the process that writes the folder now. */
  lock: "run.lock",
} as const;

export type RunFiles = { readonly [Name in keyof typeof NAMES]: string };

/** The files' names, relative to the folder. */
export const RUN_FILES: RunFiles = NAMES;

/** Paths of all files of a run's folder, whether or not they are there. */
export function runFiles(dir: string): RunFiles {
  return Object.fromEntries(Object.entries(NAMES).map(([key, name]) => [key, join(dir, name)])) as RunFiles;
}
