// What the keys of a recipe are made of: counts, rates, paths, sections.

import { z } from "zod";

export const count = (least = 1) => z.int().min(least);
export const rate = () => z.number().min(0);
export const factor = () => z.number().min(0).max(1);
export const path = () => z.string().min(1);
export const orNone = <S extends z.ZodType>(schema: S) => z.union([schema, z.literal("none")]);

/** A section whose keys all have defaults: leaving it out is the same as leaving it empty. */
export const section = <S extends z.ZodRawShape>(shape: S, about: string) =>
  z
    .strictObject(shape)
    .prefault({} as z.input<z.ZodObject<S, z.core.$strict>>)
    .describe(about);
