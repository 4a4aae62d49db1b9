// Is a recipe ready to be trained? Reads recipe, data set and weights; nothing is trained here, and no engine is loaded: a step is
// measured in a process of its own, where that is asked for.

import { existsSync } from "node:fs";
import type { Architecture } from "../architecture/variants.ts";
import { leafShapes, parameterCount } from "../architecture/weights/table.ts";
import type { LoadReport } from "../checkpoint/adapt.ts";
import { findPublished, publishedPath, publishedWeights } from "../checkpoint/published/published.ts";
import type { Transplant } from "../checkpoint/transplant.ts";
import { weightsAt } from "../checkpoint/weightsFolder.ts";
import { nearProblems } from "../data/dataset/check/nearDuplicates.ts";
import { type ScanReport, scanDataset } from "../data/dataset/check/scan.ts";
import { type Dataset, loadDataset } from "../data/dataset/dataset.ts";
import type { Problem, Split } from "../data/dataset/sample.ts";
import { shownImages } from "../loading/order/plan.ts";
import { describeOrder } from "../loading/order/shown.ts";
import { loadRecipe } from "../recipe/load.ts";
import type { Recipe } from "../recipe/schema.ts";
import { scheduleFrom } from "../step/optimiser/schedule.ts";
import { closest } from "../util/closest.ts";
import { UserError } from "../util/errors.ts";
import { factLine } from "../util/text/fact.ts";
import { proposeSlices, type SlicesProposal } from "./auto/proposeSlices.ts";
import { type CostReport, estimateCost, type NoCost, plannedLength } from "./cost.ts";
import { recipeArchitecture } from "./recipeArchitecture.ts";
import { inParts, orderingOf } from "./runData.ts";
import { type PicturesOptions, type PicturesReport, trainingPictures } from "./seen/trainingPictures.ts";
import { outlineSchedule, type ScheduleOutline } from "./stages/scheduleOutline.ts";
import { stagePlan } from "./stages/stages.ts";
import { type FitOptions, fitWeights } from "./startingWeights.ts";

type WeightsCheck = {
  weights: string;
  state: "none" | "file" | "cached" | "to be downloaded";
} & Partial<LoadReport> & {
    transplant?: Transplant;
  };

export type CheckReport = {
  ok: boolean;
  recipe: Recipe;
  parameters: number;
  weights: WeightsCheck;
  data: ScanReport;
  /** The parts that the training pictures become, in words; and parts that would pay where they are trained on as a whole. */
  slices: { parts: string | null; proposal: SlicesProposal | null };
  schedule: ScheduleOutline;
  /** Images that an epoch shows, those shown again included. */
  shown: number;
  /** How images are sampled, in lines for people. */
  order: string[];
  /** What the run will cost on this machine; null where that was not asked for, or the data set is in error. */
  cost: CostReport | NoCost | null;
  /** What was written of the training images; null where that was not asked for, or the data set is in error. */
  pictures: PicturesReport | null;
};

export type CheckOptions = {
  /** `key=value` in place of what the recipe says. */
  overrides?: string[] | undefined;
  /** Measure a step, which takes some seconds and needs the engine. Default false. */
  cost?: boolean | undefined;
  /** Write pictures of the first batches, as the model sees them. */
  pictures?: PicturesOptions | undefined;
  /** Ends the measuring with its reason. */
  signal?: AbortSignal | undefined;
};

/** Everything that a run would need, looked at. Throws UserError where recipe or weights cannot be used at all. */
export async function checkRecipe(
  path: string,
  { overrides = [], cost: measured = false, pictures: wanted, signal }: CheckOptions = {},
): Promise<CheckReport> {
  const recipe = await loadRecipe(path, { overrides });
  recipeArchitecture(recipe); // a faulty one is reported before the data set is read
  const read = await loadDataset(recipe.data, { strict: false });
  const { dataset, parts, problems } = await asTrained(recipe, read);
  const architecture = recipeArchitecture(recipe, dataset.classes.length);
  const ordering = orderingOf(recipe, { batchSize: recipe.data.batch_size === "auto" ? 1 : recipe.data.batch_size }); // one that is not known yet
  const samples = dataset.splits.train?.samples ?? [];
  const { batchSize } = ordering;
  const { shown, ...length } = plannedLength(recipe, { images: shownImages(samples, ordering), batchSize });
  const order = describeOrder(samples, dataset.classes, { ordering, seed: recipe.seed }).map(factLine);
  const plan = stagePlan(recipe.train.stages, leafShapes(architecture), { freezeEncoder: recipe.model.freeze_encoder });
  const schedule = outlineSchedule(scheduleFrom(recipe.train.schedule), plan, length);
  const weights = await checkWeights(recipe.weights, architecture, {
    seed: recipe.seed,
    heads: recipe.heads,
    classNames: dataset.classes.map(({ name }) => name),
  });
  const { resolution, numQueries: queries } = architecture;
  const scan = await scanDataset(read, {
    queries: parts === null ? queries : Number.POSITIVE_INFINITY,
    segmenter: architecture.segmentationHead,
    allowLeaks: recipe.data.allow_leaks,
    inParts: parts !== null,
  });
  const near = await nearIn(read, { scan, recipe, signal });
  const data = withProblems({ ...scan, notes: [...scan.notes, ...near.notes] }, [
    ...problems,
    ...near.problems,
    ...(parts === null ? [] : crowdedParts(dataset.splits.train!, queries)),
  ]);
  const { train } = read.splits;
  const proposal = parts === null && train ? proposeSlices(train.samples, { resolution }) : null;
  const pictures =
    wanted && data.ok ? await trainingPictures(recipe, { ...wanted, dataset: read, architecture }) : null;
  const cost = measured && data.ok ? await estimateCost(recipe, { dataset, signal }) : null;
  const parameters = parameterCount(architecture);
  return {
    ok: data.ok,
    recipe,
    parameters,
    weights,
    data,
    slices: { parts, proposal },
    schedule,
    shown,
    order,
    cost,
    pictures,
  };
}

/** The data set in the parts that it is trained in, or why it cannot be cut into these. */
async function asTrained(
  recipe: Recipe,
  dataset: Dataset,
): Promise<{ dataset: Dataset; parts: string | null; problems: Problem[] }> {
  try {
    const { dataset: cut, facts } = await inParts(recipe, dataset);
    return { dataset: cut, parts: facts[0]?.value ?? null, problems: [] };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const problem = { kind: "malformed", severity: "error", split: "train", file: "", message: error.message } as const;
    return { dataset, parts: null, problems: [problem] };
  }
}

/** Pictures of which a part holds more objects than the model can find. */
function crowdedParts({ name, samples }: Split, queries: number): Problem[] {
  const most = new Map<string, number>();
  for (const { file, annotations } of samples) {
    const objects = annotations.filter(({ crowd }) => !crowd).length;
    if (objects > queries) most.set(file, Math.max(objects, most.get(file) ?? 0));
  }
  return Array.from(most, ([file, objects]) => {
    const message = `${file} has a part with ${objects} objects, the model has ${queries} queries: the rest can never be found.`;
    return { kind: "too-many-objects", severity: "warning", split: name, file, message };
  });
}

type Near = Awaited<ReturnType<typeof nearProblems>>;

/** Near-duplicates in several splits, unless the recipe says that they may be; copies are told as such already. */
async function nearIn(
  read: Dataset,
  { scan, recipe, signal }: { scan: ScanReport; recipe: Recipe; signal: AbortSignal | undefined },
): Promise<Near> {
  if (recipe.data.near_duplicates === "apart") return { problems: [], notes: [] };
  const copies = scan.problems.filter(({ kind }) => kind === "leak").map(({ split, file }) => `${split} ${file}`);
  return nearProblems(read, { but: new Set(copies), signal });
}

function withProblems(scan: ScanReport, more: readonly Problem[]): ScanReport {
  const counts = { ...scan.counts };
  for (const { kind } of more) counts[kind] = (counts[kind] ?? 0) + 1;
  const ok = scan.ok && more.every(({ severity }) => severity !== "error");
  return { ...scan, ok, counts, problems: [...scan.problems, ...more] };
}

/** Published weights are not downloaded for this; a file is read and fitted. */
async function checkWeights(weights: string, architecture: Architecture, options: FitOptions): Promise<WeightsCheck> {
  if (weights === "none") return { weights, state: "none" };
  const published = existsSync(weights) ? undefined : findPublished(weights);
  const path = published ? publishedPath(published) : await weightsAt(weights);
  if (!existsSync(path)) {
    if (published) return { weights, state: "to be downloaded" };
    const names = publishedWeights().map(({ name }) => name);
    const meant = closest(weights, names);
    throw new UserError(`weights: there is no file ${weights}.${meant ? ` Did you mean ${meant}?` : ""}`, {
      hint: `Give a path, none, or a published name: ${names.join(", ")}.`,
    });
  }
  const { report, transplant } = await fitWeights(path, architecture, options);
  return { weights, state: published?.url ? "cached" : "file", ...report, ...(transplant && { transplant }) };
}
