// The package as somebody has it who installed the file that `npm pack` makes, in a folder of their own.
//
// What it depends on is linked from here: npm itself would ask a registry or a cache for it, and the engine would be built again
// for half a minute. What npm would install from the file alone is here to the byte, its executable included.

import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "..", "..");
const run = promisify(execFile);

export type Installed = {
  /** Somebody's folder, in which the package is installed. */
  project: string;
  /** The package there. */
  packed: string;
  /** Paths of its files, relative to it. */
  files: string[];
  remove(): Promise<void>;
};

/** Pack this checkout, whose dist must be there, and install the file. */
export async function installPackage(): Promise<Installed> {
  const project = await mkdtemp(join(tmpdir(), "package-"));
  const words = ["pack", "--json", "--ignore-scripts", "--pack-destination", project];
  const { stdout } = await run("npm", words, { cwd: ROOT });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  const modules = join(project, "node_modules");
  const packed = join(modules, "rfdetr-train");
  await mkdir(packed, { recursive: true });
  await run("tar", ["xzf", join(project, filename), "-C", packed, "--strip-components=1"]);
  for (const name of await readdir(join(ROOT, "node_modules")))
    if (!name.startsWith(".")) await symlink(join(ROOT, "node_modules", name), join(modules, name));
  await mkdir(join(modules, ".bin"));
  const launcher = join(packed, "bin", "rfdetr-train.mjs");
  await chmod(launcher, 0o755);
  await symlink(launcher, join(modules, ".bin", "rfdetr-train"));
  return {
    project,
    packed,
    files: files.map(({ path }) => path),
    remove: () => rm(project, { recursive: true, force: true }),
  };
}
