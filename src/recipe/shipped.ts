// The recipes that come with the program, found by name wherever it is installed.

import { statSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { orPackaged, packagePath } from "../util/package.ts";

export type ShippedRecipe = { name: string; path: string; about: string; text: string };

/** The shipped recipes in the order of their names. `about` is the first line of the header. */
export async function shippedRecipes(): Promise<ShippedRecipe[]> {
  const folder = packagePath("recipes/");
  const files = (await readdir(folder)).filter((file) => file.endsWith(".yaml")).sort();
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(`${folder}${file}`, "utf8");
      const about = /^# *(.*)$/m.exec(text)?.[1] ?? "";
      return { name: file.replace(/\.yaml$/, ""), path: `${folder}${file}`, about, text };
    }),
  );
}

/** The file that is meant: the path itself where a file is there, else a shipped recipe of that name or path, else the path. */
export function recipeFile(path: string): string {
  if (isFile(path)) return path;
  const shipped = /^[\w-]+$/.test(path) ? packagePath(`recipes/${path}.yaml`) : orPackaged(path);
  return isFile(shipped) ? shipped : path;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
