// What a run's folder says that W&B wants to know besides the metrics: name, configuration, times, how it ended, pictures.

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { parse } from "yaml";
import { runFiles } from "../../../run/files.ts";
import { selection } from "../../../run/selection.ts";
import { UserError } from "../../../util/errors.ts";
import { fileError } from "../../../util/files.ts";
import { lastExitCode } from "./outcome.ts";
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
  /** The metric that chooses the best checkpoint. */
  metric: string;
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
  const recipe = await readYaml(runFiles(dir).recipe);
  const environment = jsonOf(await textOf(runFiles(dir).environment, "{}"));
  const log = (await textOf(runFiles(dir).log, "")).split("\n").flatMap(timeOfLine);
  const fallback = (await stat(runFiles(dir).metrics)).mtimeMs;
  const started = log[0] ?? time(environment.started) ?? fallback;
  const wandb = objectOf(objectOf(recipe.track).wandb);
  return {
    name: String(recipe.name),
    ...{ project: String(wandb.project ?? ""), entity: String(wandb.entity ?? "") },
    config: { ...recipe, environment },
    metric: selection(recipe).metric,
    started,
    ended: log.at(-1) ?? fallback,
    exitCode: (await lastExitCode(dir)) ?? 1,
    pictures: (await picturesOf(dir)).filter(({ step }) => step > after && step <= through),
  };
}

/** Those that were kept for W&B; where there are none, those of the last and the best evaluation. */
async function picturesOf(dir: string): Promise<RunPicture[]> {
  const { pictures } = await keptPictures(dir);
  if (pictures.length > 0) return pictures.map((picture) => ({ ...picture, file: pictureFile(dir, picture.value) }));
  const found = new Map<string, RunPicture>();
  for (const record of [runFiles(dir).bestEvaluation, runFiles(dir).evaluation]) {
    for (const picture of await evaluationPictures(dir, record)) found.set(`${picture.step} ${picture.key}`, picture);
  }
  return [...found.values()];
}

type Evaluation = { step: number; pictures: { file: string; image: string; width: number; height: number }[] };

async function evaluationPictures(dir: string, record: string): Promise<RunPicture[]> {
  const { step = 0, pictures = [] } = jsonOf(await textOf(record, "{}")) as Partial<Evaluation>;
  const found: RunPicture[] = [];
  for (const { file, image, width, height } of pictures) {
    const data = await readFile(join(dir, file)).catch(() => undefined);
    if (!data) continue;
    const sha256 = createHash("sha256").update(data).digest("hex");
    const name = basename(file, extname(file));
    const path = `media/images/val_${name}_${step}_${sha256.slice(0, 20)}${extname(file)}`;
    const facts = { sha256, size: data.length, format: "jpeg", width, height, caption: image };
    found.push({ step, key: `val/${name}`, value: { _type: "image-file", path, ...facts }, file: join(dir, file) });
  }
  return found;
}

async function readYaml(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw fileError(path, "read", error);
  });
  try {
    return objectOf(parse(text));
  } catch (cause) {
    throw new UserError(`${path} is no YAML.`, { hint: "Restore it from your records of the run.", cause });
  }
}

/** A file's text, or `absent` where there is none. */
async function textOf(path: string, absent: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return absent;
    throw fileError(path, "read", error);
  });
}

/** When a line of the log was written; nothing for one that a crash tore. */
function timeOfLine(line: string): number[] {
  const at = time(jsonOf(line).time);
  return at === undefined ? [] : [at];
}

/** An object from its JSON; empty where it is torn or something else. */
function jsonOf(text: string): Record<string, unknown> {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return {};
  }
}

function time(value: unknown): number | undefined {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isFinite(ms) ? ms : undefined;
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
