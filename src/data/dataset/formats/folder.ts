// What lies directly in a folder of a data set, and which of its folders are splits, however programs spell these.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { openRegular } from "../../../util/untrusted/regular.ts";
import { listFiles } from "../listing.ts";
import { SPLITS, type SplitName } from "../sample.ts";

/** Files of a folder that are looked at to see what they are. */
const MOST_LOOKS = 20;

/** Names in order, without those that are hidden. */
export type Folder = { path: string; files: readonly string[]; folders: readonly string[] };

/** The folder of a data set, and of each split the folders in it that could be its own, the likelier first. */
export type DataFolder = Folder & { splits: readonly (readonly [SplitName, readonly Folder[]])[] };

/** How programs call the folder of a split, the likelier name first. */
const SPLIT_FOLDERS: Record<SplitName, readonly string[]> = {
  train: ["train", "training"],
  val: ["valid", "val", "validation"],
  test: ["test", "testing"],
};

/** List a data set's folder and those of its splits. Throws what `readdir` throws. */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const dir = await openFolder(path);
  const splits: [SplitName, Folder[]][] = [];
  for (const name of SPLITS) {
    const paths = new Set(SPLIT_FOLDERS[name].flatMap((folder) => subfolder(dir, [folder]) ?? []));
    splits.push([name, await Promise.all([...paths].map(openFolder))]);
  }
  return { ...dir, splits };
}

/** List a folder; links count as what they lead to. Throws what `readdir` throws. */
export async function openFolder(path: string): Promise<Folder> {
  const files: string[] = [];
  const folders: string[] = [];
  const entries = (await readdir(path, { withFileTypes: true })).filter(({ name }) => !name.startsWith("."));
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await leadsToFolder(join(path, entry.name))));
    (isFolder ? folders : files).push(entry.name);
  }
  return { path, files, folders };
}

function leadsToFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}

/** The path of the first of some names that the folder has as a folder, in capitals or not; null for none. */
export function subfolder({ path, folders }: Folder, names: readonly string[]): string | null {
  for (const name of names) {
    const found = folders.includes(name) ? name : folders.find((one) => one.toLowerCase() === name.toLowerCase());
    if (found !== undefined) return join(path, found);
  }
  return null;
}

/** The path of the first of some names that the folder has as a file. */
export function fileNamed({ path, files }: Folder, names: readonly string[]): string | null {
  const found = names.find((name) => files.includes(name));
  return found === undefined ? null : join(path, found);
}

/** Files of a kind that lie in a folder; where none does, and it is that of a split, those in the folders in it. */
export async function filesOf(
  { path, files, folders }: Folder,
  isWanted: (name: string) => boolean,
  split: SplitName | null,
): Promise<string[]> {
  const direct = files.filter(isWanted);
  return direct.length > 0 || split === null || folders.length === 0
    ? direct
    : (await listFiles(path)).filter(isWanted);
}

/** What is found in the first folder of each split that has it; where none has, in the data set's own folder, as `train`. */
export async function inSplits<T>(
  dir: DataFolder,
  look: (folder: Folder, split: SplitName | null) => T | null | Promise<T | null>,
): Promise<Partial<Record<SplitName, T>>> {
  const found: Partial<Record<SplitName, T>> = {};
  for (const [name, folders] of dir.splits)
    for (const folder of folders) {
      const one = found[name] ? null : await look(folder, name);
      if (one) found[name] = one;
    }
  if (Object.keys(found).length > 0) return found;
  const whole = await look(dir, null);
  return whole ? { train: whole } : {};
}

/** Whether one of the first of some files begins as those of a format do. */
export async function anyBegins(
  folder: string,
  names: readonly string[],
  isIt: (text: string) => boolean,
): Promise<boolean> {
  for (const name of names.slice(0, MOST_LOOKS)) if (isIt(await beginningOf(join(folder, name)))) return true;
  return false;
}

/** The beginning of a file as text, to see what it is; "" where it cannot be read. */
export async function beginningOf(path: string, { bytes = 1 << 16 }: { bytes?: number } = {}): Promise<string> {
  const file = await openRegular(path).catch(() => null);
  if (!file) return "";
  try {
    const buffer = Buffer.alloc(bytes);
    const { bytesRead } = await file.read(buffer, 0, bytes, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } catch {
    return "";
  } finally {
    await file.close();
  }
}
