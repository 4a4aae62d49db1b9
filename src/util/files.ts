// Files that appear whole or not at all, checksums, and where the user's cache is.

import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { UserError } from "./errors.ts";

/** Write a file so that after any crash either the old or the complete new content is there (temporary file, fsync, rename). */
export async function writeFileAtomic(path: string, content: string | Uint8Array | Uint8Array[]): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, "wx");
    try {
      for (const part of Array.isArray(content) ? content : [content]) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {}); // the first failure is the one to report
    throw fileError(path, "write", cause);
  }
}

/** Make a rename in this directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return; // a directory cannot be opened there
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Hex SHA-256 of a regular file's content. Throws a UserError where it is something else: a pipe would be waited for. */
export async function sha256File(path: string): Promise<string> {
  if (!(await stat(path)).isFile()) throw new UserError(`Cannot read ${path}: it is not a regular file.`);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/** The user's cache folder of this program: `RFDETR_CACHE`, else the platform's. */
export function cacheDir(): string {
  const { RFDETR_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (RFDETR_CACHE) return RFDETR_CACHE;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, "rfdetr-train");
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "rfdetr-train");
  if (process.platform === "win32" && LOCALAPPDATA) return join(LOCALAPPDATA, "rfdetr-train");
  return join(homedir(), ".cache", "rfdetr-train");
}

/** Whether an error, or what caused it, is a disk or a quota that is used up. */
export function isDiskFull(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT") return true;
  }
  return false;
}

/** What a failed file operation means for the user; errors that are no file errors come back unchanged. */
export function fileError(path: string, verb: "read" | "write", cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const why: Record<string, [string, string]> = {
    ENOENT: ["no such file or folder", "Check the path; it is taken relative to the current folder."],
    EACCES: ["permission denied", "Change the permissions, or choose another place."],
    EPERM: ["operation not permitted", "Change the permissions, or choose another place."],
    EROFS: ["the file system is read-only", "Choose another place."],
    ENOSPC: ["no space left on the disk", "Free some space, or choose a place on another disk."],
    EDQUOT: ["the disk quota is used up", "Free some space, or choose a place on another disk."],
    EFBIG: ["the file would be larger than the limit allows", "Raise the file-size limit, or choose another place."],
    EISDIR: ["it is a folder, not a file", "Give the path of a file."],
    EEXIST: ["a part of the path is a file, not a folder", "Check the path."],
    ENOTDIR: ["a part of the path is a file, not a folder", "Check the path."],
    ENAMETOOLONG: ["the name is too long", "Choose a shorter name."],
    ELOOP: ["its symbolic links lead in a circle", "Repair or remove the link."],
    EMFILE: ["too many files are open", "Raise the limit: ulimit -n 4096. Or use fewer data.workers."],
    ENFILE: ["too many files are open on this machine", "Close other programs, or ask who runs the machine."],
    ENOMEM: ["there is not enough memory", "Close other programs, or use less memory: see docs/memory.md."],
    EIO: ["the disk or the connection to it fails", "Check the disk; what was there before is kept."],
    ESTALE: ["the network folder is gone or was mounted again", "Check the mount, then run it again."],
    ENXIO: ["there is no such device", "Give a file on a disk."],
    ENODEV: ["there is no such device", "Give a file on a disk."],
    EBUSY: ["another program uses it", "Close that program, or choose another place."],
    ETXTBSY: ["another program uses it", "Close that program, or choose another place."],
    ETIMEDOUT: ["the disk or the network folder does not answer", "Check the mount, then run it again."],
    ENOTEMPTY: [
      "the folder is not empty: another process writes there",
      "End the other process, or choose another place.",
    ],
    EXDEV: ["a part of the folder lies on another disk", "Choose a folder that lies on one disk."],
  };
  const known = code === undefined ? undefined : why[code];
  return known ? new UserError(`Cannot ${verb} ${path}: ${known[0]}.`, { hint: known[1], cause }) : cause;
}

/**
 * Remove the files of a folder that `isOurs` knows by their names, then the folder, unless other things are in it: these stay. Returns whether the
 * path is free then. A link, or whatever else is no folder, goes by itself.
 */
export async function removeOurs(folder: string, isOurs: (name: string) => boolean): Promise<boolean> {
  const facts = await lstat(folder).catch(() => null);
  if (!facts?.isDirectory()) {
    await rm(folder, { force: true });
    return true;
  }
  const names = await readdir(folder);
  for (const name of names.filter(isOurs)) await rm(join(folder, name), { force: true });
  if (!names.every(isOurs)) return false;
  await rmdir(folder);
  return true;
}
