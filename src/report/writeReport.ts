// report.html of a run folder: made again from what is there, so that a run can be watched by reloading it.

import { runFiles } from "../run/files.ts";
import { readPictureBrowser } from "../run/records/browser.ts";
import { readPicture } from "../run/records/evaluation.ts";
import { readRunFolder } from "../run/runFolder.ts";
import { writeFileAtomic } from "../util/files.ts";
import { type PageOptions, runPage } from "./runPage.ts";

/** Pictures beyond this many bytes are left out, so that the page can be sent by mail. */
const MOST_PICTURE_BYTES = 1_400_000;

/**
 * Write `report.html` into a run folder and return its path. Throws a UserError where the folder is no run.
 */
export async function writeReport(dir: string, options: PageOptions = {}): Promise<string> {
  const run = await readRunFolder(dir);
  const pictures = new Map<string, Uint8Array>();
  let bytes = 0;
  for (const { file } of run.evaluation?.pictures ?? []) {
    const data = await readPicture(dir, file);
    if (!data || bytes + data.length > MOST_PICTURE_BYTES) continue;
    bytes += data.length;
    pictures.set(file, data);
  }
  const browser = run.evaluation && (await readPictureBrowser(dir, run.evaluation.step));
  const path = runFiles(dir).report;
  await writeFileAtomic(path, await runPage(run, { pictures, browser, ...options }));
  return path;
}
