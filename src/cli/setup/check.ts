// `check`: is a recipe ready to be trained? Reads recipe, data set and weights; loads no engine and trains nothing.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CommandModule } from "yargs";
import type { Architecture } from "../../architecture/variants.ts";
import type { LoadReport } from "../../checkpoint/adapt.ts";
import type { Transplant } from "../../checkpoint/transplant.ts";
import type { ScanReport } from "../../data/dataset/scan.ts";
import type { Recipe } from "../../recipe/schema.ts";
import type { ScheduleOutline } from "../../train/stages/schedulePlot.ts";
import type { FitOptions } from "../../train/startingWeights.ts";
import { UserError } from "../../util/errors.ts";

type Arguments = { recipe: string; set?: string[]; json: boolean };

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
  schedule: ScheduleOutline;
};

const MOST_SHOWN = 20;

export const checkCommand: CommandModule<object, Arguments> = {
  command: "check",
  describe: "Validate a recipe, its data set and its weights without training",
  builder: (yargs) =>
    yargs
      .option("recipe", { type: "string", requiresArg: true, demandOption: true, describe: "The recipe file" })
      .option("set", { type: "string", array: true, requiresArg: true, describe: "Override a key: train.epochs=3" })
      .option("json", { type: "boolean", default: false, describe: "Print the result as JSON" }),
  handler: async ({ recipe: path, set = [], json }) => {
    const report = await checkRecipe(String(path), set);
    const { plotSchedule } = await import("../../train/stages/schedulePlot.ts");
    const text = () => table(String(path), report, plotSchedule(report.schedule));
    process.stdout.write(`${json ? JSON.stringify(report) : text()}\n`);
    if (!report.ok) process.exitCode = 2;
  },
};

/** Everything that a run would need, looked at. Throws UserError where recipe or weights cannot be used at all. */
export async function checkRecipe(path: string, overrides: string[]): Promise<CheckReport> {
  const [{ loadRecipe }, { recipeArchitecture }, { parameterCount }, { loadDataset }, { scanDataset }] =
    await Promise.all([
      import("../../recipe/load.ts"),
      import("../../train/recipeArchitecture.ts"),
      import("../../checkpoint/names.ts"),
      import("../../data/dataset/dataset.ts"),
      import("../../data/dataset/scan.ts"),
    ]);
  const recipe = await loadRecipe(path, { overrides });
  recipeArchitecture(recipe); // a faulty one is told before the data set is read
  const dataset = await loadDataset(recipe.data, { strict: false });
  const architecture = recipeArchitecture(recipe, dataset.classes.length);
  const images = dataset.splits.train?.samples.length ?? 0;
  const schedule = await checkSchedule(recipe, architecture, images);
  const weights = await checkWeights(recipe.weights, architecture, {
    seed: recipe.seed,
    heads: recipe.heads,
    classNames: dataset.classes.map(({ name }) => name),
  });
  const data = await scanDataset(dataset, { queries: architecture.numQueries });
  return { ok: data.ok, recipe, parameters: parameterCount(architecture), weights, data, schedule };
}

/** The learning rates and the stages that training would go through; a batch size that is not known yet counts as 1. */
async function checkSchedule(recipe: Recipe, architecture: Architecture, images: number): Promise<ScheduleOutline> {
  const [{ stagePlan }, { outlineSchedule }, { scheduleFrom }, { leafShapes }, { epochLength }] = await Promise.all([
    import("../../train/stages/stages.ts"),
    import("../../train/stages/schedulePlot.ts"),
    import("../../train/optimiser/schedule.ts"),
    import("../../checkpoint/names.ts"),
    import("../../data/batch/sampler.ts"),
  ]);
  const { stages, schedule, epochs, max_steps: most, grad_accum_steps: gradAccumSteps } = recipe.train;
  const batchSize = recipe.data.batch_size === "auto" ? 1 : recipe.data.batch_size;
  const shown = epochLength({ length: images, batchSize, gradAccumSteps, shuffle: recipe.data.shuffle });
  const stepsPerEpoch = shown / (batchSize * gradAccumSteps);
  const totalSteps = Math.min(epochs * stepsPerEpoch, most ?? Number.POSITIVE_INFINITY);
  const plan = stagePlan(stages, leafShapes(architecture), { freezeEncoder: recipe.model.freeze_encoder });
  return outlineSchedule(scheduleFrom(schedule), plan, { epochs, stepsPerEpoch, totalSteps });
}

/** Published weights are not downloaded for this; a file is read and fitted. */
async function checkWeights(weights: string, architecture: Architecture, options: FitOptions): Promise<WeightsCheck> {
  if (weights === "none") return { weights, state: "none" };
  const [{ weightsAt }, { findPublished, publishedWeights }, { cacheDir }, { closest }] = await Promise.all([
    import("../../checkpoint/weightsFolder.ts"),
    import("../../checkpoint/published.ts"),
    import("../../util/files.ts"),
    import("../../util/closest.ts"),
  ]);
  const published = existsSync(weights) ? undefined : findPublished(weights);
  const path = published ? join(cacheDir(), "weights", published.file) : await weightsAt(weights);
  if (!existsSync(path)) {
    if (published) return { weights, state: "to be downloaded" };
    const names = publishedWeights().map(({ name }) => name);
    const meant = closest(weights, names);
    throw new UserError(`weights: there is no file ${weights}.${meant ? ` Did you mean ${meant}?` : ""}`, {
      hint: `Give a path, none, or a published name: ${names.join(", ")}.`,
    });
  }
  const { fitWeights } = await import("../../train/startingWeights.ts");
  const { report, transplant } = await fitWeights(path, architecture, options);
  return { weights, state: published ? "cached" : "file", ...report, ...(transplant && { transplant }) };
}

function table(path: string, { ok, recipe, parameters, weights, data, schedule }: CheckReport, plot: string): string {
  const { state, loaded, reshaped = [], missing = [], unexpected = [] } = weights;
  const fitted = `${loaded} tensors fit, ${reshaped.length} reshaped, ${missing.length} missing, ${unexpected.length} not used`;
  const lines = [
    `recipe    ${path} (${recipe.name})`,
    `model     ${recipe.model.variant}, ${parameters.toLocaleString("en")} parameters`,
    `weights   ${weights.weights}${state === "none" ? "" : ` (${loaded === undefined ? state : fitted})`}`,
    ...(weights.transplant ? [`heads     ${describeHeads(weights.transplant)}`] : []),
    `data      ${data.description}`,
    "",
    row("split", "images", "empty", "boxes", "crowds"),
    ...Object.entries(data.splits).map(([name, s]) => row(name, s.images, s.backgrounds, s.boxes, s.crowds)),
    "",
    `${"label".padEnd(7)}${"id".padEnd(8)}${"class".padEnd(24)}boxes`,
    ...data.classes.map(({ label, categoryId, name }) => {
      const boxes = Object.entries(data.splits).map(([split, s]) => `${split} ${s.boxesPerClass[name] ?? 0}`);
      return `${String(label).padEnd(7)}${String(categoryId).padEnd(8)}${name.padEnd(24)}${boxes.join(", ")}`;
    }),
  ];
  const { epochs, stepsPerEpoch, totalSteps } = schedule;
  lines.push(
    "",
    `factor on the learning rates (${recipe.train.schedule.name}), ${epochs} epochs of ${stepsPerEpoch} steps, ${totalSteps} steps in all`,
    plot,
  );
  for (const severity of ["error", "warning"] as const) {
    const problems = data.problems.filter((problem) => problem.severity === severity);
    if (problems.length > 0) lines.push("", `${problems.length} ${severity}${problems.length === 1 ? "" : "s"}:`);
    lines.push(...problems.slice(0, MOST_SHOWN).map((problem) => `  ${problem.message}`));
    if (problems.length > MOST_SHOWN) lines.push(`  ... and ${problems.length - MOST_SHOWN} more (all with --json)`);
  }
  lines.push("", ok ? "Ready to train." : "Not ready: correct the errors above.");
  return lines.join("\n");
}

function describeHeads({ kept, fresh }: Transplant): string {
  return `kept: ${kept.join(", ") || "none"}; from scratch: ${fresh.join(", ") || "none"}`;
}

function row(name: string, ...cells: (string | number)[]): string {
  return name.padEnd(8) + cells.map((cell) => String(cell).padStart(9)).join("");
}
