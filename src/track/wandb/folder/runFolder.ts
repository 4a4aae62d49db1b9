// What a run's folder says that W&B wants to know besides the metrics: name, configuration, times, how it ended, pictures.

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import type { Environment } from "../../../run/environment.ts";
import { type RecordedPicture, readPicture, recordedPictures } from "../../../run/records/evaluation.ts";
import { openRunFolder, runTitle } from "../../../run/runFolder.ts";
import type { RunLog } from "../../../run/runLog.ts";
import { exitCodeOf } from "./outcome.ts";
import { keptPictures, type PictureValue, pictureFile } from "./pictures.ts";

/** A picture of the row of `step`, and the file with its bytes. */
export type RunPicture = { step: number; key: string; value: PictureValue; file: string };

export type RecordedRun = {
  name: string;
  /** Empty where the recipe does not say. */
  project: string;
  entity: string;
  /** The resolved recipe, and the environment under `environment`. */
  config: Record<string, unknown>;
  /** The metric that chooses the best checkpoint, and the epoch (from 0) of which on evaluations count. */
  metric: string;
  from: number;
  /** Milliseconds since 1970. */
  started: number;
  /** The last sign of life. */
  ended: number;
  /** What the program ended with, or 1 where it was killed. */
  exitCode: number;
  pictures: RunPicture[];
};

/**
 * Read a run's folder. Pictures are those of the steps after `after` and up to `through`: later ones are of steps that
 * a resumed run has yet to do again. Throws UserError.
 */
export async function recordedRun(
  dir: string,
  { after, through }: { after: number; through: number },
): Promise<RecordedRun> {
  const folder = await openRunFolder(dir);
  const { recipe } = folder;
  const environment = (await folder.environment()) ?? {};
  const log = await folder.log();
  const fallback = (await stat(folder.files.metrics)).mtimeMs;
  const wandb = objectOf(objectOf(recipe.track).wandb);
  return {
    name: runTitle(folder),
    ...{ project: String(wandb.project ?? ""), entity: String(wandb.entity ?? "") },
    config: { ...recipe, environment },
    metric: folder.selection.metric,
    from: folder.selection.from,
    started: startOf(log, environment) ?? fallback,
    ended: time(log.last) ?? fallback,
    exitCode: exitCodeOf(log.status) ?? 1,
    pictures: (await picturesOf(dir)).filter(({ step }) => step > after && step <= through),
  };
}

/** When a run began, in milliseconds since 1970; undefined where its folder does not say. */
export async function runStart(dir: string): Promise<number | undefined> {
  const folder = await openRunFolder(dir);
  return startOf(await folder.log(), (await folder.environment()) ?? {});
}

function startOf({ first }: RunLog, { started }: Partial<Environment>): number | undefined {
  return time(first) ?? time(started);
}

/** Those that were kept for W&B; where there are none, those of the last and the best evaluation. */
async function picturesOf(dir: string): Promise<RunPicture[]> {
  const { pictures } = await keptPictures(dir);
  if (pictures.length > 0) return pictures.map((picture) => ({ ...picture, file: pictureFile(dir, picture.value) }));
  const found = new Map<string, RunPicture>();
  for (const { step, picture } of await recordedPictures(dir)) {
    const data = await readPicture(dir, picture.file);
    if (!data) continue;
    const shown = onDisk(picture, { dir, step, data });
    found.set(`${step} ${shown.key}`, shown);
  }
  return [...found.values()];
}

function onDisk(
  { file, image, width, height }: RecordedPicture,
  { dir, step, data }: { dir: string; step: number; data: Uint8Array },
): RunPicture {
  const sha256 = createHash("sha256").update(data).digest("hex");
  const name = basename(file, extname(file));
  const path = `media/images/val_${name}_${step}_${sha256.slice(0, 20)}${extname(file)}`;
  const facts = { sha256, size: data.length, format: "jpeg", width, height, caption: image };
  return { step, key: `val/${name}`, value: { _type: "image-file", path, ...facts }, file: join(dir, file) };
}

function time(value: unknown): number | undefined {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isFinite(ms) ? ms : undefined;
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
