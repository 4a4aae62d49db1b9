// The data set of `data review` and `data correct`: a folder, or what a recipe names.

import type { DatasetSource } from "../../data/dataset/dataset.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { UserError } from "../../util/errors.ts";
import { DATA_OPTION } from "../options.ts";

export type GivenSource = { data?: string; recipe?: string };

export const DATA_SOURCE_OPTIONS = {
  data: DATA_OPTION,
  recipe: { type: "string", requiresArg: true, describe: "Or the recipe that names the data set" },
} as const;

/** Throws a UserError where neither or both are given. */
export async function sourceOf(
  command: string,
  { data, recipe }: GivenSource,
): Promise<{ data: DatasetSource; recipe?: Recipe }> {
  if ((data === undefined) === (recipe === undefined))
    throw new UserError(`data ${command} needs either --data or --recipe${data === undefined ? "" : ", not both"}.`, {
      hint: `rfdetr-train data ${command} --help`,
    });
  if (data !== undefined) return { data: { dir: data } };
  const { loadRecipe } = await import("../../recipe/load.ts");
  const read = await loadRecipe(recipe!);
  return { data: read.data, recipe: read };
}

/** The same for a command line that is printed. */
export function sourceWords({ data, recipe }: GivenSource): string {
  const [name, value] = data === undefined ? ["recipe", recipe!] : ["data", data];
  return `--${name} ${/^[\w./@+-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`}`;
}
