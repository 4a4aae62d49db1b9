// model.onnx at the end of a run. The training is done by then, and trouble with the export never undoes it.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { weightsAt } from "../../checkpoint/weightsFolder.ts";
import { type ExportResult, exportOnnx } from "../../export/exportOnnx.ts";
import type { ExportPictures } from "../../export/pictures.ts";
import { MAIN_METRIC, MASK_METRIC } from "../../instance/metrics.ts";
import type { Recipe } from "../../recipe/schema.ts";
import type { TrainEvent } from "../../run/events.ts";
import { RUN_FILES } from "../../run/files.ts";
import { readExported } from "../../run/records/exported.ts";
import { sha256File } from "../../util/files.ts";

export type RunExportOptions = {
  signal?: AbortSignal | undefined;
  /** The images to verify on, where they are at hand; else the recipe's data set is read. */
  pictures?: ExportPictures | undefined;
};

/** Export a run's best weights where its recipe says so. */
export async function* exportRun(
  dir: string,
  recipe: Recipe,
  { signal, pictures }: RunExportOptions = {},
): AsyncGenerator<Extract<TrainEvent, { type: "notice" | "warning" }>, void, undefined> {
  if (!recipe.export.onnx) return;
  const again = `rfdetr-train export --weights ${dir} --out ${join(dir, FILE)}`;
  try {
    signal?.throwIfAborted();
    const result = await exportOnnx({ weights: dir, out: join(dir, FILE), images: IMAGES, pictures, signal });
    for (const warning of result.warnings) yield { type: "warning", message: warning };
    yield { type: "notice", message: describe(result), exported: join(dir, FILE) };
  } catch (error) {
    const why = signal?.aborted ? "it was stopped." : error instanceof Error ? error.message : String(error);
    const refused = `${FILE} was not written: ${why}`;
    yield { type: "warning", message: `${refused} Try again with: ${again}`, refused };
  }
}

/** As `exportRun`, for a run that ended without it: it was killed, or stopped, while it exported. */
export async function* exportMissing(dir: string, recipe: Recipe, options: RunExportOptions = {}) {
  if (recipe.export.onnx && !(await isCurrent(dir))) yield* exportRun(dir, recipe, options);
}

/** Whether the file is there and made of the weights that are the best now: an extended run may have better ones. */
async function isCurrent(dir: string): Promise<boolean> {
  const record = existsSync(join(dir, FILE)) && (await readExported(dir)).find(({ file }) => file === FILE);
  if (!record) return false;
  const sha256 = await weightsAt(dir).then(sha256File, () => undefined); // the export itself says what is wrong with them
  return record.weights?.sha256 === sha256;
}

const FILE = RUN_FILES.onnx;

/** Most images to verify on: more than the command takes, as it is little beside a training. */
const IMAGES = 64;

function describe({ files, seconds }: ExportResult): string {
  const { bytes, verified } = files[0]!;
  const facts = [`${(bytes / 1e6).toFixed(1)} MB`];
  if (verified) {
    const { images, difference } = verified;
    facts.push(`verified on ${images} image${images === 1 ? "" : "s"}`);
    if (difference) facts.push(`boxes within ${difference.boxes.toExponential(1)} of the trainer's`);
    for (const metric of [MAIN_METRIC, MASK_METRIC] as const) {
      const ap = verified[metric];
      if (ap) facts.push(`${metric} ${ap.file.toFixed(3)} (the trainer's ${ap.trainer.toFixed(3)})`);
    }
  }
  return `Exported ${FILE}: ${facts.join(", ")} (${seconds.toFixed(1)} s)`;
}
