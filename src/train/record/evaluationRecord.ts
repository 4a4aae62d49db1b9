// evaluation.json of a run, and the pictures beside it: what lies behind the figures of its last and of its best evaluation.

import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sample } from "../../data/dataset/sample.ts";
import { evaluationDetails, worstAndBest } from "../../eval/details.ts";
import { browsedObjects } from "../../eval/errors/browsed.ts";
import { tideErrors } from "../../eval/errors/tide.ts";
import type { Evaluation } from "../../eval/evaluate.ts";
import { imageMatches } from "../../eval/paired/imageMatches.ts";
import { bySummary, measured } from "../../instance/metrics.ts";
import type { OperatingPoint } from "../../instance/operating/point.ts";
import type { ValRow } from "../../run/events.ts";
import { RUN_FILES, runFiles } from "../../run/files.ts";
import { readJsonObject } from "../../run/json.ts";
import { isRealFolder } from "../../run/lock.ts";
import { OBJECTS_FILE } from "../../run/records/browser.ts";
import type { EvaluationRecord, ImageOutcome, RecordedPicture } from "../../run/records/evaluation.ts";
import { MATCHES_FILE, packMatches } from "../../run/records/matches.ts";
import { isBetter, selection } from "../../run/selection.ts";
import type { TrackedPicture } from "../../track/tracker.ts";
import { removeOurs, writeFileAtomic } from "../../util/files.ts";
import type { Run } from "../liveRun.ts";
import { drawPair, type PairDrawing, pairDrawing } from "../seen/pairs.ts";
import { thumbnailsOf } from "../seen/thumbnails.ts";

/** What a record is made of. */
export type ValEvaluation = Omit<Evaluation, "counts"> & { operatingPoint?: OperatingPoint | undefined };

/** Pictures of each kind. */
const EACH = 6;

/**
 * Write the details and pictures of an evaluation into the run's folder, as the last one and, where it is, the best one;
 * what is there is replaced whole, and pictures that neither needs go. Returns the pictures.
 */
export async function recordEvaluation(
  { dir, valSplit, classes, recipe, progress }: Pick<Run, "dir" | "valSplit" | "classes" | "recipe" | "progress">,
  row: ValRow,
  evaluation: ValEvaluation,
): Promise<TrackedPicture[]> {
  const { images, ...details } = evaluationDetails(evaluation);
  const samples = new Map(valSplit.samples.map((sample) => [sample.imageId, sample]));
  const drawing = pairDrawing({ valSplit, classes }, evaluation, details.threshold);
  const drawn = await drawPictures(images, samples, drawing);

  const { pictures } = runFiles(dir);
  await mkdir(pictures, { recursive: true });
  if (!(await isRealFolder(pictures))) throw new Error(`${pictures} is a link; what it leads to is left alone`);
  const folder = join(RUN_FILES.pictures, String(row.step));
  const browsed = (await thumbnailsOf(dir, valSplit)).map(({ imageId }) => imageId);
  const objects = Buffer.from(`${JSON.stringify(browsedObjects(evaluation, browsed))}\n`);
  const matches = imageMatches(evaluation, { samples: valSplit.samples, maxDets: recipe.eval.max_dets });
  await writeFolder(join(dir, folder), [
    ...drawn.map(({ name, data }) => ({ name: `${name}.jpg`, data })),
    { name: OBJECTS_FILE, data: objects },
    ...(matches ? [{ name: MATCHES_FILE, data: Buffer.from(packMatches(matches)) }] : []),
  ]);
  const written: EvaluationRecord = {
    ...{ format: 1, step: row.step, epoch: row.epoch, images: evaluation.images },
    ...recordedMetrics(evaluation),
    ...{ f1: evaluation.f1, f1Sweep: evaluation.f1Sweep, ...details },
    operatingPoint: evaluation.operatingPoint ?? null,
    errors: tideErrors({ ...evaluation, maxDets: recipe.eval.max_dets }),
    pictures: drawn.map(({ name, facts }) => ({ ...facts, file: `${RUN_FILES.pictures}/${row.step}/${name}.jpg` })),
  };
  const json = `${JSON.stringify(written)}\n`;
  await writeFileAtomic(runFiles(dir).evaluation, json);
  if (isBetter(selection(recipe).of(row), progress.best)) {
    await writeFileAtomic(runFiles(dir).bestEvaluation, json);
  }
  await removeStale(dir);
  return drawn.map(({ facts: _, ...picture }) => picture);
}

/** The metrics of an evaluation, as records have them. */
export function recordedMetrics({
  metrics,
  perClass,
}: Pick<Evaluation, "metrics" | "perClass">): Pick<EvaluationRecord, "metrics" | "perClass"> {
  return {
    metrics: Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, measured(value)])),
    perClass: perClass.map(({ name, annotations, ...of }) => {
      return { name, ...bySummary((metric) => measured(of[metric])), annotations };
    }),
  };
}

type Drawn = TrackedPicture & { facts: Omit<RecordedPicture, "file"> };

async function drawPictures(
  images: readonly ImageOutcome[],
  samples: ReadonlyMap<number, Sample>,
  drawing: PairDrawing,
): Promise<Drawn[]> {
  const pictures: Drawn[] = [];
  for (const [kind, outcomes] of Object.entries(worstAndBest(images, EACH)) as ["worst" | "best", ImageOutcome[]][]) {
    for (const [i, { imageId, ...outcome }] of outcomes.entries()) {
      const sample = samples.get(imageId)!;
      const drawn = await drawPair(sample, drawing);
      if (!drawn) continue; // evaluated in parts, and too large to be drawn
      const { data, width, height } = drawn;
      pictures.push({
        ...{ name: `${kind}-${i + 1}`, caption: `${sample.file}: ${outcomeText(outcome)}`, format: "jpeg" },
        ...{ data, width, height },
        facts: { kind, image: sample.file, width, height, ...outcome },
      });
    }
  }
  return pictures;
}

function outcomeText({ found, missed, wrong }: Omit<ImageOutcome, "imageId">): string {
  const of = `${found} of ${found + missed} found`;
  return wrong === 0 ? of : `${of}, ${wrong} wrong`;
}

/** What an evaluation writes into its folder. */
function isOurs(name: string): boolean {
  return /^(worst|best)-\d+\.jpg$/.test(name) || name === OBJECTS_FILE || name === MATCHES_FILE;
}

/**
 * A folder that is there whole or not at all; one that is there already, such as before a resume, is replaced. Where others have put
 * something into it, file by file.
 */
async function writeFolder(path: string, files: readonly { name: string; data: Uint8Array }[]): Promise<void> {
  const fresh = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  await mkdir(fresh, { recursive: true });
  for (const { name, data } of files) await writeFile(join(fresh, name), data);
  if (await removeOurs(path, isOurs)) return rename(fresh, path);
  for (const { name } of files) await rename(join(fresh, name), join(path, name));
  await rmdir(fresh);
}

/** Remove the pictures of evaluations that neither evaluation.json nor evaluation-best.json is about. */
async function removeStale(dir: string): Promise<void> {
  const { evaluation, bestEvaluation, pictures } = runFiles(dir);
  const records = await Promise.all(
    [evaluation, bestEvaluation].map((path) => readJsonObject<{ step?: unknown }>(path)),
  );
  const needed = new Set(records.map((record) => String(record?.step)));
  for (const name of await readdir(pictures)) {
    if (needed.has(name) || !/^\d+$/.test(name) || !(await isRealFolder(join(pictures, name)))) continue; // not a run's
    await removeOurs(join(pictures, name), isOurs);
  }
}
