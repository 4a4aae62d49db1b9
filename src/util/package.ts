// Files of this package, wherever the module that asks lies in it: in the sources as well as in the build.

import { fileURLToPath } from "node:url";

/** Path of a file or folder of the package, such as "datasets/trees". */
export function packagePath(name: string): string {
  return fileURLToPath(new URL(`../../${name}`, import.meta.url));
}
