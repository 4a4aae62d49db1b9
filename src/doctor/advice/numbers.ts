// What the files of a run's folder say in numbers: all that advice is made of. Any of them may be missing, or a stranger's.

import { VARIANTS } from "../../architecture/variants.ts";
import { readPictureBrowser } from "../../run/records/browser.ts";
import { type RunContents, readRunFolder } from "../../run/runFolder.ts";
import { selection } from "../../run/selection.ts";
import { isObject } from "../../util/untrusted/json.ts";

/** An epoch with the mean loss of its training steps and the loss on the validation images after it. */
export type EpochLoss = { epoch: number; training: number | null; validation: number | null };

/** What is in validation pictures, of at most 500 of them. */
type Objects = {
  /** The side of a square of its area, of the middle picture in pixels. */
  pictureSide: number;
  /** Of each picture. */
  counts: number[];
  /** Of each object: the side of a square of its area, in pixels of the picture and as the network sees it. */
  sides: { picture: number; network: number | null }[];
};

export type RunNumbers = Pick<RunContents, "dir" | "evaluation" | "environment" | "log" | "test" | "metric"> & {
  /** Shares of the recorded steps that they waited for images. */
  waits: number[];
  epochs: EpochLoss[];
  /** The metric that chooses the best, of each evaluation that has it, oldest first. */
  scores: { epoch: number; value: number }[];
  steps: number;
  /** A value of the recipe as it is in the file, by its dotted key. */
  recipe(key: string): unknown;
  /** Side of the network's images in pixels, and the objects it can find in one, where the recipe tells. */
  resolution: number | null;
  queries: number | null;
  trainImages: number | null;
  objects: Objects | null;
};

/** Read them. Throws a UserError where the folder is no run's. */
export async function runNumbers(dir: string): Promise<RunNumbers> {
  const run = await readRunFolder(dir);
  const { rows, recipe, evaluation, environment, log, test, metric } = run;
  const chosenBy = selection(recipe);
  const train = rows.filter((row) => row.split === "train");
  const at = (key: string) =>
    key.split(".").reduce<unknown>((value, part) => (isObject(value) && Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined), recipe); // biome-ignore format: one line
  const variant = Object.entries(VARIANTS).find(([name]) => name === at("model.variant"))?.[1];
  const resolution = numberOr(at("model.resolution"), variant?.resolution ?? null);
  const browser = evaluation && (await readPictureBrowser(dir, evaluation.step));
  return {
    ...{ dir, evaluation, environment, log, test, metric, resolution },
    waits: train.map(({ data_wait }) => data_wait).filter(isNumber),
    epochs: epochLosses(rows),
    scores: rows.flatMap((row) => {
      const value = row.split === "val" ? chosenBy.of(row) : null;
      return isNumber(value) ? [{ epoch: row.epoch, value }] : [];
    }),
    steps: rows.at(-1)?.step ?? 0,
    recipe: at,
    queries: numberOr(at("model.num_queries"), variant?.numQueries ?? null),
    trainImages: imagesOf(log.facts.find(({ name, under }) => name === "train" && under === "Data")?.value),
    objects: browser && objectsOf(browser.pictures, resolution),
  };
}

function epochLosses(rows: RunContents["rows"]): EpochLoss[] {
  const epochs = new Map<number, EpochLoss>();
  for (const row of rows) {
    const known = epochs.get(row.epoch) ?? { epoch: row.epoch, training: null, validation: null };
    if (row.split === "train" && isNumber(row.epoch_mean?.loss)) known.training = row.epoch_mean.loss;
    if (row.split === "val" && isNumber(row.val_loss)) known.validation = row.val_loss;
    epochs.set(row.epoch, known);
  }
  return [...epochs.values()].sort((a, b) => a.epoch - b.epoch);
}

function objectsOf(
  pictures: readonly { width: number; height: number; truths: readonly (readonly number[])[] }[],
  resolution: number | null,
): Objects {
  const sides = pictures.flatMap(({ width, height, truths }) =>
    truths.map(([, , , w = 0, h = 0]) => {
      const picture = Math.sqrt(Math.max(0, w * h));
      const scale = resolution === null || !(width * height > 0) ? null : resolution / Math.sqrt(width * height);
      return { picture, network: scale === null ? null : picture * scale };
    }),
  );
  const pictureSide = median(pictures.map(({ width, height }) => Math.sqrt(Math.max(0, width * height))));
  return { pictureSide, counts: pictures.map(({ truths }) => truths.length), sides };
}

/** "86 images (0 without boxes, 1739 boxes)" */
function imagesOf(text: string | undefined): number | null {
  const [, count] = /^(\d{1,9}) images/.exec(text ?? "") ?? [];
  return count === undefined ? null : Number(count);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function numberOr(value: unknown, otherwise: number | null): number | null {
  return isNumber(value) && value > 0 ? value : otherwise;
}

/** The middle of numbers, the upper one of two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
