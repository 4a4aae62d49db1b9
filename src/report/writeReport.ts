// report.html of a run folder: made again from what is there, so that a run can be watched by reloading it.

import { runFiles } from "../run/files.ts";
import { readPictureBrowser } from "../run/records/browser.ts";
import { readPicture } from "../run/records/evaluation.ts";
import { readFixedPictures } from "../run/records/fixedPictures.ts";
import { type RunContents, readRunFolder } from "../run/runFolder.ts";
import { writeFileAtomic } from "../util/files.ts";
import { type PageOptions, type RunPictures, runPage } from "./runPage.ts";

/** Pictures beyond this many bytes are left out, so that the page can be sent by mail. */
const MOST_PICTURE_BYTES = 1_400_000;

/**
 * Write `report.html` into a run folder and return its path. Throws a UserError where the folder is no run.
 */
export async function writeReport(dir: string, options: PageOptions = {}): Promise<string> {
  const run = await readRunFolder(dir);
  const path = runFiles(dir).report;
  const pictures = { ...(await readEvaluationPictures(dir, run.evaluation)), fixed: await readFixedPictures(dir) };
  await writeFileAtomic(path, await runPage(run, { ...pictures, ...options }));
  return path;
}

/** What a page shows of an evaluation beside its record; what is missing or damaged is left out. */
export async function readEvaluationPictures(dir: string, evaluation: RunContents["evaluation"]): Promise<RunPictures> {
  const pictures = new Map<string, Uint8Array>();
  let bytes = 0;
  for (const { file } of evaluation?.pictures ?? []) {
    const data = await readPicture(dir, file);
    if (!data || bytes + data.length > MOST_PICTURE_BYTES) continue;
    bytes += data.length;
    pictures.set(file, data);
  }
  return { pictures, browser: evaluation && (await readPictureBrowser(dir, evaluation.step)) };
}
