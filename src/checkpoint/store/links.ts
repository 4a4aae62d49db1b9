// `best` and `last` of a run's checkpoints: links, or small files with a name where the file system has no links. Copies of a run may
// have lost its links, or hold copies of what they led to.

import { randomBytes } from "node:crypto";
import { lstat, readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileError, syncDirectory } from "../../util/files.ts";
import { CHECKPOINT_NAME, checkpointInfo, listCheckpoints, WRITING } from "./store.ts";

export type Link = "best" | "last";

/** What a file system without links answers. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"]);

/** Point `best` or `last` to a checkpoint, replaced in one step. */
export async function linkCheckpoint(dir: string, link: Link, name: string): Promise<void> {
  const temporary = join(dir, `${WRITING}${link}-${randomBytes(4).toString("hex")}`);
  try {
    await symlink(name, temporary, "dir").catch(async (cause: NodeJS.ErrnoException) => {
      if (!NO_LINKS.has(cause.code ?? "")) throw cause;
      await writeFile(temporary, `${name}\n`);
    });
    // a copy of the checkpoint, which a program made that follows links, would be in the way
    if (await isCopy(join(dir, link))) await rm(join(dir, link), { recursive: true });
    await rename(temporary, join(dir, link));
    await syncDirectory(dir);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw fileError(join(dir, link), "write", cause);
  }
}

/** Name of the checkpoint that `best` or `last` stands for; undefined where there is none. */
export async function linkedCheckpoint(dir: string, link: Link): Promise<string | undefined> {
  const path = join(dir, link);
  const target = await readlink(path).catch(() => undefined);
  if (target !== undefined) return CHECKPOINT_NAME.test(target) ? target : undefined; // no other folder is a checkpoint of this run
  const copied = await checkpointInfo(path);
  if (copied) return (await listCheckpoints(dir)).findLast(({ step, epoch }) => step === copied.step && epoch === copied.epoch)?.name; // biome-ignore format: one line
  const text = await smallText(path);
  return CHECKPOINT_NAME.test(text) ? text : undefined;
}

/** The folder that a path stands for, where it is `best` or `last` as a small file; any other path as it is. */
export async function followLink(path: string): Promise<string> {
  const link = basename(path);
  if (link !== "best" && link !== "last") return path;
  const name = await smallText(path);
  return CHECKPOINT_NAME.test(name) ? join(dirname(path), name) : path;
}

async function isCopy(path: string): Promise<boolean> {
  const status = await lstat(path).catch(() => undefined);
  return status?.isDirectory() === true && (await checkpointInfo(path)) !== undefined;
}

async function smallText(path: string): Promise<string> {
  const status = await lstat(path).catch(() => undefined);
  return status?.isFile() && status.size < 100 ? (await readFile(path, "utf8").catch(() => "")).trim() : "";
}
