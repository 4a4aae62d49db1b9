// Options that several commands share, and the checks of what was given.

import { UserError } from "../util/errors.ts";

/** The result as JSON on stdout. */
export const JSON_OPTION = { type: "boolean", default: false, describe: "Print the result as JSON" } as const;

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
