// export.json: what was exported into a folder, how it was verified, how fast it is.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { runFiles } from "../run/files.ts";
import { type FileRecord, readExported } from "../run/records/exported.ts";
import { writeFileAtomic } from "../util/files.ts";

/** Add files to the record of their folder; an entry of the same file is replaced, one of a file that is gone is dropped. */
export async function recordExport(folder: string, files: readonly FileRecord[]): Promise<string> {
  const path = runFiles(folder).exported;
  const names = new Set(files.map(({ file }) => file));
  const kept = (await readExported(folder)).filter(({ file }) => !names.has(file) && existsSync(join(folder, file)));
  await writeFileAtomic(path, `${JSON.stringify({ files: [...kept, ...files] }, null, 2)}\n`);
  return path;
}
