// Which weights a folder stands for.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../util/errors.ts";
import { followLink } from "./store/links.ts";
import { listCheckpoints, newestIntact, verifyCheckpoint } from "./store/store.ts";

/** The weights file that a path stands for: what `weightsInFolder` finds in a folder, any other path as it is. */
export async function weightsAt(path: string): Promise<string> {
  const place = await followLink(path);
  const isFolder = statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isFolder ? weightsInFolder(place) : place;
}

const LINKS = ["best", "last"] as const;

/** The checkpoint of the highest score below a folder, else the newest. */
async function bestLeft(dir: string): Promise<string | undefined> {
  const all = await listCheckpoints(dir);
  const scored = all.filter(({ score }) => score !== null).sort((a, b) => b.score! - a.score! || a.step - b.step);
  const found = scored[0] ?? all.at(-1);
  return found && join(dir, found.name);
}

/**
 * Path of the weights in a checkpoint folder, or in the best or else the last checkpoint of a run's folder; the averaged
 * ones where there are any. Throws a UserError where there are none, or they are not what the manifest says.
 */
async function weightsInFolder(folder: string): Promise<string> {
  const holds = (dir: string) =>
    ["ema.safetensors", "model.safetensors"].map((name) => ({ dir, name })).find((one) => existsSync(join(one.dir, one.name))); // biome-ignore format: one line
  const dirs = [join(folder, "checkpoints"), folder];
  const named = await Promise.all(LINKS.flatMap((link) => dirs.map((dir) => followLink(join(dir, link)))));
  const left = (await Promise.all(dirs.map(bestLeft))).flatMap((dir) => dir ?? []); // a copy that lost its links
  const found = [folder, ...dirs, ...named, ...left].map(holds).find((one) => one !== undefined);
  if (!found) {
    throw new UserError(`The folder ${folder} holds no checkpoint.`, {
      hint: "Name a run's folder, such as checkpoints/trees, or one of the folders in its checkpoints folder.",
    });
  }
  const { dir, name } = found;
  if (existsSync(join(dir, "manifest.json"))) {
    await verifyCheckpoint(dir, [name]).catch(async (cause: unknown) => {
      const intact = cause instanceof UserError ? await newestIntact(join(dir, "..")) : undefined;
      if (!intact) throw cause;
      const hint = `The newest intact checkpoint is ${join(dir, "..", intact)}.`;
      throw new UserError((cause as UserError).message, { hint, cause });
    });
  }
  return join(dir, name);
}
