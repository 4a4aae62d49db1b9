// A folder of pictures that may be written again, and that takes the place of nothing that others made.

import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readJsonObject } from "../../run/json.ts";
import { UserError } from "../../util/errors.ts";
import { fileError, writeFileAtomic } from "../../util/files.ts";

/** The list of what was written, by which a folder is known as our own. */
const LIST = "pictures.json";
const PICTURE = /^[\w-]+\.jpg$/;

/**
 * Write pictures (names end in .jpg) and their list into a folder; pictures of an earlier time go. Throws a UserError, before anything is
 * written, where there are other files in it.
 */
export async function writePictures(
  folder: string,
  pictures: readonly { name: string; data: Uint8Array }[],
  about: Record<string, unknown>,
): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    const ours = await earlierPictures(folder);
    const found = (await readdir(folder)).filter((name) => name !== LIST || ours === null);
    const other = found.find((name) => !ours?.includes(name));
    if (other !== undefined)
      throw new UserError(`The folder ${folder} holds files that no check wrote, such as ${other}.`, {
        hint: "Nothing in it was touched. Choose an empty folder, or one that does not exist, with --pictures.",
      });
    for (const name of found) await rm(join(folder, name));
    const files = pictures.map(({ name }) => name);
    // the list first: whatever happens then, what is there is known as our own
    await writeFileAtomic(join(folder, LIST), `${JSON.stringify({ format: 1, ...about, files }, null, 1)}\n`);
    for (const { name, data } of pictures) await writeFileAtomic(join(folder, name), data);
  } catch (cause) {
    throw fileError(folder, "write", cause);
  }
}

/** What an earlier time has written; null where there is no list of ours. */
async function earlierPictures(folder: string): Promise<string[] | null> {
  const list = await readJsonObject<{ format?: unknown; files?: unknown }>(join(folder, LIST));
  if (list?.format !== 1 || !Array.isArray(list.files)) return null;
  return list.files.filter((name) => typeof name === "string" && PICTURE.test(name));
}
