// `check`: is a recipe ready to be trained? Shows what it, its data set and its weights came to.

import type { CommandModule } from "yargs";
import type { Transplant } from "../../checkpoint/transplant.ts";
import { countKeys } from "../../data/dataset/sample.ts";
import type { CheckReport } from "../../train/check.ts";
import { UserError } from "../../util/errors.ts";
import { JSON_OPTION, RECIPE_OPTION, SET_OPTION } from "../options.ts";
import { printNote, printResult } from "../terminal/print.ts";
import { factTable, table } from "../terminal/table.ts";

type Arguments = {
  recipe: string;
  set?: string[];
  cost: boolean;
  pictures?: string;
  transforms: boolean;
  json: boolean;
};

const MOST_SHOWN = 20;
const FACTS = { least: [8] };

export const checkCommand: CommandModule<object, Arguments> = {
  command: "check",
  describe: "Validate a recipe, its data set and its weights without training",
  builder: (yargs) =>
    yargs
      .option("recipe", { ...RECIPE_OPTION, demandOption: true })
      .option("set", SET_OPTION)
      .option("cost", {
        type: "boolean",
        default: true,
        describe: "Measure a step: what the run will take in time and memory; --no-cost leaves it out",
      })
      .option("pictures", {
        type: "string",
        requiresArg: true,
        describe: "A folder for pictures of the first training batches, as the model sees them, boxes and masks drawn",
      })
      .option("transforms", {
        type: "boolean",
        default: false,
        describe: "With --pictures: each augmentation of the recipe by itself, too, and the time it takes an image",
      })
      .option("json", JSON_OPTION),
  handler: async ({ recipe: path, set = [], cost, pictures: out, transforms, json }) => {
    if (transforms && out === undefined)
      throw new UserError("--transforms needs a folder for its pictures.", { hint: "Add --pictures FOLDER." });
    const [{ checkRecipe }, { leakRemedy }, { describeCost }, { plotSchedule }] = await Promise.all([
      import("../../train/check.ts"),
      import("../../data/dataset/check/leaks.ts"),
      import("../../train/cost.ts"),
      import("../terminal/schedulePlot.ts"),
    ]);
    if (cost && process.stderr.isTTY) printNote("Measuring a step (--no-cost leaves it out) ...");
    const report = await checkRecipe(String(path), {
      ...{ overrides: set, cost },
      ...(out !== undefined && { pictures: { out, transforms } }),
    });
    if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else {
      const plot = plotSchedule(report.schedule);
      const leaks = report.data.problems.filter(({ kind, severity }) => kind === "leak" && severity === "error");
      const remedies = leaks.length > 0 ? [leakRemedy(leaks, report.recipe.data.dir)] : [];
      printResult(asText(String(path), report, { plot, cost: report.cost ? describeCost(report.cost) : [], remedies }));
    }
    if (!report.ok) process.exitCode = 2;
  },
};

function asText(
  path: string,
  { ok, recipe, parameters, weights, data, slices, schedule, order, pictures }: CheckReport,
  { plot, cost, remedies }: { plot: string; cost: string[]; remedies: string[] },
): string {
  const { state, loaded, reshaped = [], missing = [], unexpected = [] } = weights;
  const fitted = `${loaded} tensors fit, ${reshaped.length} reshaped, ${missing.length} missing, ${unexpected.length} not used`;
  const keys = countKeys(data.classes);
  const masks = Object.values(data.splits).some((split) => split.masks);
  const lines = [
    ...factTable(
      [
        ["recipe", `${path} (${recipe.name})`],
        ["model", `${recipe.model.variant}, ${parameters.toLocaleString("en")} parameters`],
        ["weights", `${weights.weights}${state === "none" ? "" : ` (${loaded === undefined ? state : fitted})`}`],
        ...(weights.transplant ? [["heads", describeHeads(weights.transplant)] as const] : []),
        ["data", data.description],
        ...data.notes.map((note) => ["", note] as const),
        ...describeParts(slices, recipe),
      ],
      FACTS,
    ),
    "",
    ...table([
      ["split", "images", "empty", "boxes", "crowds", ...(masks ? ["masks", "with holes"] : [])],
      ...Object.entries(data.splits).map(([name, s]) => [
        ...[name, s.images, s.backgrounds, s.boxes, s.crowds],
        ...(masks ? [s.masks?.masks ?? 0, s.masks?.withHoles ?? 0] : []),
      ]),
    ]),
    "",
    ...table(
      [
        ["label", "id", "class", "boxes"],
        ...data.classes.map(({ label, categoryId, name }) => {
          const key = keys[label]!;
          const boxes = Object.entries(data.splits).map(([split, s]) => `${split} ${s.boxesPerClass[key] ?? 0}`);
          return [label, categoryId, name, boxes.join(", ")];
        }),
      ],
      { align: ["right", "right", "left"] },
    ),
  ];
  const { epochs, stepsPerEpoch, totalSteps } = schedule;
  lines.push(
    "",
    `factor on the learning rates (${recipe.train.schedule.name}), ${epochs} epochs of ${stepsPerEpoch} steps, ${totalSteps} steps in all`,
    plot,
  );
  lines.push(...order);
  if (pictures) lines.push("", ...describePictures(pictures));
  if (cost.length > 0)
    lines.push(
      "",
      ...factTable(
        cost.map((line, i) => [i === 0 ? "cost" : "", line] as const),
        FACTS,
      ),
    );
  for (const severity of ["error", "warning"] as const) {
    const problems = data.problems.filter((problem) => problem.severity === severity);
    if (problems.length > 0) lines.push("", `${problems.length} ${severity}${problems.length === 1 ? "" : "s"}:`);
    lines.push(...problems.slice(0, MOST_SHOWN).map((problem) => `  ${problem.message}`));
    if (problems.length > MOST_SHOWN) lines.push(`  ... and ${problems.length - MOST_SHOWN} more (all with --json)`);
  }
  for (const remedy of remedies) lines.push("", remedy);
  lines.push("", ok ? "Ready to train." : "Not ready: correct the errors above.");
  return lines.join("\n");
}

/** What was written, and what each augmentation takes. */
function describePictures({ folder, images, batches, transforms }: NonNullable<CheckReport["pictures"]>): string[] {
  const of = batches === 1 ? "the first batch" : `the first ${batches} batches`;
  const written = `${images} images of ${of} in ${folder}`;
  if (transforms === null) return factTable([["pictures", written]], FACTS);
  const times = transforms.map(({ name, milliseconds }) => [name, milliseconds?.toFixed(1) ?? "not done"]);
  return [
    ...factTable([["pictures", `${written}, and up to 4 of each augmentation by itself`]], FACTS),
    ...(times.length > 0 ? table([["augmentation", "ms an image"], ...times]) : ["The recipe has no augmentation."]),
  ];
}

/** What pictures are cut into, or a proposal to do so with what it costs. */
function describeParts(
  { parts, proposal }: CheckReport["slices"],
  { data }: CheckReport["recipe"],
): [string, string][] {
  if (parts !== null) return [["slices", parts]];
  if (!proposal || data.slices !== "none") return [];
  const { small, size, parts: count } = proposal;
  const so = `${Math.round(100 * small)} % of the training objects have less than 10 pixels a side at the model's resolution`;
  const cost = `${count.toFixed(1)} parts an image on average, so training takes about ${count.toFixed(1)} times as long`;
  return [["small", `${so}; parts of the pictures would show them larger (data.slices: { size: ${size} }): ${cost}`]];
}

function describeHeads({ kept, fresh }: Transplant): string {
  return `kept: ${kept.join(", ") || "none"}; from scratch: ${fresh.join(", ") || "none"}`;
}
