// The files of a folder of images, found by the names that annotations call them: whatever system and program wrote these.

import { readdir, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { UserError } from "../../util/errors.ts";
import { isWithin } from "../../util/untrusted/regular.ts";

/**
 * Names of all files under a folder, relative to it, in order. What is hidden (`._photo.jpg` of a Mac, `.thumbnails/`) is left out.
 * Throws UserError where the folder is missing.
 */
export async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "ENOENT" ? "does not exist" : `cannot be read (${cause.code})`;
      throw new UserError(`The folder of images ${folder} ${why}.`, {
        hint: "Check the path in the recipe's data.",
        cause,
      });
    },
  );
  return entries
    .filter((e) => !e.isDirectory())
    .map((e) => relative(folder, join(e.parentPath, e.name)))
    .filter((name) => !name.split(sep).some((part) => part.startsWith(".")))
    .sort();
}

/** Where a file that annotations name lies; `there`: whether anything is in that place. */
export type Located = { path: string; there: boolean };

/**
 * Finds files of a folder by name. Absolute names that lead into the folder, "\" between folders and names in another Unicode
 * form (a Mac's "é" has two characters) are understood. A name that leads out of the folder is null.
 */
export async function openListing(folder: string): Promise<(name: string) => Promise<Located | null>> {
  const root = resolve(folder);
  const byForm = new Map((await listFiles(root)).map((file) => [file.normalize("NFC"), file]));
  const inside = (name: string): string | null => {
    const path = resolve(root, name);
    return path !== root && isWithin(path, root) ? path : null;
  };
  return async (name) => {
    if (name.includes("\0")) return null;
    const spelt = name.includes("\\") && sep === "/" ? [name, name.replaceAll("\\", "/")] : [name];
    const paths = spelt.flatMap((one) => inside(one) ?? []);
    if (paths.length < spelt.length) return null;
    for (const path of paths) {
      const known = byForm.get(relative(root, path).normalize("NFC"));
      if (known !== undefined) return { path: join(root, known), there: true };
      // a folder that is itself a link is not in the listing
      if (await exists(path)) return { path, there: true };
    }
    return { path: paths.at(-1)!, there: false };
  };
}

/** Folders of a path that are tried, of one that lies on another machine. */
const MOST_FOLDERS = 20;

/** What a path of another machine may be called below a folder that was copied from there: its ends, the longest first, none with "..". */
export function pathEnds(path: string): string[] {
  const all = path.replaceAll("\\", "/").split("/");
  const parts = all.slice(Math.max(0, all.lastIndexOf(".."), all.length - MOST_FOLDERS));
  return parts.slice(1).map((_, i) => parts.slice(i + 1).join("/"));
}

/** Whether a path begins at the root of a system's files, be it another system's. */
export function isRooted(path: string): boolean {
  return /^([/\\]|[a-zA-Z]:[/\\])/.test(path);
}

export function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
