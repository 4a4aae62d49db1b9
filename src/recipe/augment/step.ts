// What steps of `data.augment` are made of.

import { z } from "zod";
import { factor } from "../fields.ts";

/** From where to where, both ends included. */
export const range = <N extends z.ZodType<number>>(one: N) =>
  z.array(one).length(2).refine(isRising, { message: "a list of two numbers, the smaller one first" });

function isRising([low, high]: readonly number[]): boolean {
  return low! <= high!;
}

/** One number, or from where to where. */
export const span = <N extends z.ZodType<number>>(one: N) => z.union([one, range(one)]);

/** A step of a pipeline: its name, its keys, and its probability. */
export const step = <const Name extends string, Shape extends z.ZodRawShape>(name: Name, shape: Shape) =>
  z.strictObject({
    name: z.literal(name).describe("The step"),
    ...shape,
    p: factor().default(0.5).describe("Probability of the step"),
  });
