// Files of this package, wherever the module that asks lies in it: in the sources as well as in the build.

import { existsSync } from "node:fs";
import { normalize } from "node:path";
import { fileURLToPath } from "node:url";

/** Path of a file or folder of the package, such as "datasets/trees". */
export function packagePath(name: string): string {
  return fileURLToPath(new URL(`../../${name}`, import.meta.url));
}

/** A path as it is given, or, where nothing is there, what the package has in that place of `recipes` or `datasets`. */
export function orPackaged(path: string): string {
  const name = normalize(path).replaceAll("\\", "/");
  if (!/^(recipes|datasets)\//.test(name) || existsSync(path)) return path;
  const own = packagePath(name);
  return existsSync(own) ? own : path;
}
