// The folders that a prediction writes to: where nobody names one, predictions, predictions-2 and so on.

import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { UserError } from "../../util/errors.ts";
import { fileError } from "../../util/files.ts";

const NAME = /^predictions(?:-(\d{1,9}))?$/;

/** All such folders that are there, made by earlier calls. */
export async function earlierFolders(): Promise<string[]> {
  return (await readdir(".").catch(() => [])).filter((name) => NAME.test(name));
}

/** Make the next one in the current folder: its number is above those of all others. Throws a UserError where it cannot be made. */
export async function makeNextFolder(): Promise<string> {
  const numbers = (await earlierFolders()).map((name) => Number(NAME.exec(name)![1] ?? 1));
  for (let next = Math.max(0, ...numbers) + 1; ; next++) {
    const name = next === 1 ? "predictions" : `predictions-${next}`;
    try {
      await mkdir(name);
      return name;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw fileError(name, "write", cause);
    }
  }
}

/** Throws a UserError where there is a `folder` already and no `results` of an earlier call: somebody else made it. */
export function refuseOthersFolder(folder: string, { results, contents }: { results: string; contents: string }): void {
  if (existsSync(folder) && !existsSync(results))
    throw new UserError(`${folder} is there already: ${contents} would take the place of what is in it.`, {
      hint: "Choose another folder with --out.",
    });
}
