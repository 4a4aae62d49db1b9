// What labels that a model made mean for a data set: said where they train, an error where they would measure.

import type { Fact } from "../../../util/text/fact.ts";
import { type LabelledData, type ModelLabels, type Problem, type Sample, SPLITS, type SplitName } from "../sample.ts";
import { isMarkFile, MARK_KEY, marksOf } from "./marks.ts";

/** Labels of a split that a model made. `models`: what is known of them, else how they are called. */
export type LabelsByModel = { images: number; boxes: number; models: (ModelLabels | { model: string })[] };

/** Whether a model made the labels of a picture, or some of them, and no person has seen them since. */
export function isByModel({ byModel, annotations }: Pick<Sample, "byModel" | "annotations">): boolean {
  return byModel !== undefined || annotations.some((one) => one.byModel);
}

/** The labels of each split that a model made; splits without any are left out. */
export function labelsByModel({ splits }: Pick<LabelledData, "splits">): Partial<Record<SplitName, LabelsByModel>> {
  const found: Partial<Record<SplitName, LabelsByModel>> = {};
  for (const name of SPLITS) {
    const samples = splits[name]?.samples.filter(isByModel) ?? [];
    if (samples.length === 0) continue;
    const boxes = samples.reduce((sum, { annotations }) => sum + annotations.filter((one) => one.byModel).length, 0);
    const images = new Set(samples.map(({ path }) => path)).size;
    found[name] = { images, boxes, models: marksOf(samples).map(({ about, model }) => about ?? { model }) };
  }
  return found;
}

/** Model-made labels in the training split, for people. */
export function describeByModel(data: Pick<LabelledData, "splits">): Fact[] {
  const samples = data.splits.train?.samples.filter(isByModel) ?? [];
  const { train } = labelsByModel(data);
  if (!train) return [];
  const by = marksOf(samples).map(({ model }) => model);
  const value = `${counted(train)} of train are labelled by a model and not yet seen by a person: ${named(by)}`;
  return [{ name: "Labels by a model", value }];
}

/** An error for each of val and test that has labels by a model: it names the file that says so, and how the mark is removed. */
export function modelProblems(data: Pick<LabelledData, "splits">): Problem[] {
  const found = labelsByModel(data);
  return (["val", "test"] as const).flatMap((split): Problem[] => {
    const labels = found[split];
    if (!labels) return [];
    const { samples, annotations } = data.splits[split]!;
    const first = samples.find(isByModel)!;
    const marks = samples.flatMap(({ byModel, annotations: all }) => [byModel, ...all.map((one) => one.byModel)]);
    const [file, ...others] = new Set(marks.flatMap((mark) => mark?.from ?? []));
    const more = others.length > 0 ? ` (and ${others.length} more files)` : "";
    const of = `${counted(labels)} of ${split} are labelled by a model and not yet seen by a person, the first in ${first.file}`;
    const why = "metrics on them would say how far two models agree, not how good one is";
    const message = `${file ?? annotations}${more}: ${of}; ${why}. Move these pictures to train. Or, once a person has corrected them, ${removal(file ?? "")}.`;
    return [{ kind: "by-model", severity: "error", split, file: first.file, message }];
  });
}

/** How the mark is removed from a file. */
function removal(file: string): string {
  if (/\.xml$/i.test(file)) return `delete the elements <${MARK_KEY}> from their XML files`;
  if (isMarkFile(file)) return `delete their names from "files" in it, or the whole file where all were corrected`;
  return `delete the key "${MARK_KEY}" from their "images" and "annotations" in it`;
}

function counted({ images, boxes }: LabelsByModel): string {
  return `${images} image${images === 1 ? "" : "s"} and ${boxes} box${boxes === 1 ? "" : "es"}`;
}

function named(models: readonly string[]): string {
  const left = models.length - 3;
  return `${models.slice(0, 3).join("; ")}${left > 0 ? `; and ${left} more` : ""}`;
}
