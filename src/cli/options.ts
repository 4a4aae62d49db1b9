// Options that several commands share, and the checks of what was given.

import type { AskedSlices } from "../detector/slices/choose.ts";
import { type Cluster, clusterOf } from "../distributed/cluster.ts";
import { UserError } from "../util/errors.ts";

/** The result as JSON on stdout. */
export const JSON_OPTION = { type: "boolean", default: false, describe: "Print the result as JSON" } as const;

/** A trained or published model. */
export const WEIGHTS_OPTION = {
  type: "string",
  requiresArg: true,
  describe: "A run, a checkpoint, a weights or .onnx file, or a published name",
} as const;

/** A data set to measure on. */
export const DATA_OPTION = { type: "string", requiresArg: true, describe: "Folder or zip file of a data set" } as const;

/** Pictures. */
export const IMAGES_OPTION = {
  type: "string",
  array: true,
  requiresArg: true,
  describe: 'Image files, folders, or patterns such as "photos/**/*.jpg"',
} as const;

/** What is written; each command says what that is. */
export const OUT_OPTION = { type: "string", requiresArg: true } as const;

/** The folder of a run. */
export const RUN_ARGUMENT = { type: "string", demandOption: true, describe: "The run's folder" } as const;

/** The recipe that a command is about. */
export const RECIPE_OPTION = {
  type: "string",
  requiresArg: true,
  describe: "The recipe file, or the name of a shipped one",
} as const;

/** Parts of a data set. */
export const SPLIT_OPTION = {
  type: "string",
  requiresArg: true,
  default: "val",
  choices: ["train", "val", "test"],
  describe: "Part of the data",
} as const;

/** Where weights are computed. */
export const DEVICE_OPTION = {
  type: "string",
  requiresArg: true,
  default: "auto",
  choices: ["auto", "cpu", "gpu"],
  describe: "Where to compute",
} as const;

/** In which precision weights are computed. */
export const PRECISION_OPTION = {
  type: "string",
  requiresArg: true,
  default: "none",
  choices: ["none", "bf16"],
  describe: "bf16: products in bfloat16, as a run with train.amp_dtype: bf16 evaluates",
} as const;

/** In which parts pictures are looked at. */
export const SLICES_OPTION = {
  type: "string",
  describe:
    "Look at overlapping parts of each picture, too: SIZE or SIZE,OVERLAP in its pixels and in shares, such as 640,0.2; without a value, and by default, as the weights were trained; --no-slices: at whole pictures only",
} as const;

/** How weights are run over a split, batch by batch, and how that is printed. */
export const OVER_SPLIT_OPTIONS = {
  "batch-size": { type: "number", default: 4, requiresArg: true, describe: "Images at a time" },
  slices: SLICES_OPTION,
  device: DEVICE_OPTION,
  precision: PRECISION_OPTION,
  json: JSON_OPTION,
} as const;

/** A recipe, for weights that do not say what model they are of. */
export const MODEL_RECIPE_OPTION = {
  type: "string",
  requiresArg: true,
  describe: "The recipe of weights that do not say their architecture",
} as const;

/** Overrides of a recipe's keys. */
export const SET_OPTION = {
  type: "string",
  array: true,
  requiresArg: true,
  describe: "Override a key: train.epochs=3",
} as const;

/** Who trains together. */
export const WORKERS_OPTIONS = {
  workers: {
    type: "string",
    requiresArg: true,
    describe: "Train with others: all workers in the same order, host:port,host:port, or slurm",
  },
  rank: { type: "number", requiresArg: true, describe: "Which of the workers this is, from 0" },
  listen: {
    type: "string",
    requiresArg: true,
    describe: "The address to listen at for other workers [default: this worker's own]",
  },
  wait: {
    type: "number",
    requiresArg: true,
    default: 300,
    describe: "Seconds to wait for all workers to be there",
  },
} as const;

export type WorkersArguments = { workers?: string; rank?: number; listen?: string; wait: number };

/** What --slices asks for; undefined where it is not given. Throws a UserError for what is no size, or no size and overlap. */
export function askedSlices(given: string | boolean | undefined): AskedSlices | undefined {
  if (given === undefined) return undefined;
  if (given === false || given === "none") return "none";
  if (given === true || given === "") return "trained";
  const [, size, overlap] = /^\s*(\d+)\s*(?:,\s*(\d*\.?\d+)\s*)?$/.exec(given) ?? [];
  if (size === undefined)
    throw new UserError(
      `--slices is "${given}"; it must be a size in pixels, or a size and an overlap, such as 640,0.2.`,
    );
  return { size: Number(size), ...(overlap !== undefined && { overlap: Number(overlap) }) };
}

/** Throws a UserError where an option that takes one value was given several times; `lists` take several. */
export function requireOnce(args: object, { lists = [] }: { lists?: readonly string[] } = {}): void {
  for (const [name, value] of Object.entries(args))
    if (name !== "_" && Array.isArray(value) && !lists.includes(name))
      throw new UserError(
        `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} can be given once only.`,
      );
}

/** Throws a UserError where a number, if there is one, does not count something. */
export function requireCount(name: string, value: number | undefined): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= 1))
    throw new UserError(`--${name} is ${value}; it must be a whole number from 1.`);
}

/** With whom to train, as these options or the environment say it; undefined where this process trains alone. Throws a UserError. */
export function askedCluster({ workers, rank, listen, wait }: WorkersArguments): AskedCluster | undefined {
  if (!(wait >= 1 && wait <= 86_400)) throw new UserError(`--wait is ${wait}; it must be a number of seconds from 1.`);
  const cluster = clusterOf({ workers, rank });
  return cluster && { cluster, listen, limits: { register: Math.round(1000 * wait) } };
}

export type AskedCluster = { cluster: Cluster; listen?: string | undefined; limits: { register: number } };
