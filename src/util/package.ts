// Files of this package, wherever the module that asks lies in it: in the sources as well as in the build.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

/** Path of a file or folder of the package, such as "datasets/trees". */
export function packagePath(name: string): string {
  return fileURLToPath(new URL(`../../${name}`, import.meta.url));
}

/** Version of a dependency as it is installed, without loading it; null where it is not. */
export function installedVersion(name: string): string | null {
  const manifest = foundUpwards(`node_modules/${name}/package.json`);
  if (manifest === undefined) return null;
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version?: unknown };
  return typeof version === "string" ? version : null;
}

/** A file in the package's folder or the nearest one above it. */
export function foundUpwards(name: string): string | undefined {
  for (let folder = packagePath(""); ; folder = dirname(folder)) {
    const path = join(folder, name);
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) return undefined;
  }
}

/** A path as it is given, or, where nothing is there, what the package has in that place of `recipes` or `datasets`. */
export function orPackaged(path: string): string {
  const name = normalize(path).replaceAll("\\", "/");
  if (!/^(recipes|datasets)\//.test(name) || existsSync(path)) return path;
  const own = packagePath(name);
  return existsSync(own) ? own : path;
}
