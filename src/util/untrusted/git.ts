// The commit of a git checkout, read from its files: git itself would run commands that the checkout's configuration names.

import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { isMissing, readRegularText } from "./regular.ts";

const HASH = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const MOST_LINKS = 5;

/**
 * The commit that is checked out where `folder` lies; null where there is no checkout, no commit yet, or where git keeps
 * its references in another way than as files. Whether files were changed is not known: to tell, filters would have to run.
 */
export async function gitCommit(folder: string): Promise<{ commit: string } | null> {
  try {
    const gitDir = await findGitDir(folder);
    if (!gitDir) return null;
    // a linked worktree has its own HEAD, and shares the references
    const shared = await textAt(join(gitDir, "commondir"));
    const folders = [gitDir, ...(shared === undefined ? [] : [resolve(gitDir, shared.trim())])];
    let found = await textAt(join(gitDir, "HEAD"));
    for (let i = 0; i < MOST_LINKS && found !== undefined; i++) {
      const [, name] = /^ref: (refs\/[^\s]+)\s*$/.exec(found) ?? [];
      if (name === undefined || name.split("/").includes("..")) break;
      found = await reference(folders, name);
    }
    const commit = found?.trim() ?? "";
    return HASH.test(commit) ? { commit } : null;
  } catch {
    return null; // a record that cannot be had stops nothing
  }
}

/** The `.git` folder of the checkout, which may be named by a file of that name. */
async function findGitDir(folder: string): Promise<string | undefined> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const git = join(at, ".git");
    const facts = await stat(git).catch(() => undefined);
    if (facts?.isDirectory()) return git;
    if (facts?.isFile()) {
      const [, named] = /^gitdir: (.+?)\s*$/.exec((await textAt(git)) ?? "") ?? [];
      return named === undefined ? undefined : resolve(at, named);
    }
    if (at === dirname(at)) return undefined;
  }
}

/** What a reference holds: in a file of its own, else in the list of packed ones. */
async function reference(folders: readonly string[], name: string): Promise<string | undefined> {
  for (const folder of folders) {
    const loose = await textAt(join(folder, name));
    if (loose !== undefined) return loose;
  }
  for (const folder of folders) {
    const packed = (await textAt(join(folder, "packed-refs"))) ?? "";
    const line = packed.split("\n").find((one) => one.endsWith(` ${name}`));
    if (line) return line.slice(0, line.indexOf(" "));
  }
  return undefined;
}

async function textAt(path: string): Promise<string | undefined> {
  return readRegularText(path, { most: 64 << 20 }).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
}
