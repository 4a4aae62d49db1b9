// `check`: is a recipe ready to be trained? Shows what it, its data set and its weights came to.

import type { CommandModule } from "yargs";
import type { Transplant } from "../../checkpoint/transplant.ts";
import { describePadding } from "../../data/batch/sampler.ts";
import type { CheckReport } from "../../train/check.ts";
import { JSON_OPTION, SET_OPTION } from "../options.ts";

type Arguments = { recipe: string; set?: string[]; cost: boolean; json: boolean };

const MOST_SHOWN = 20;

export const checkCommand: CommandModule<object, Arguments> = {
  command: "check",
  describe: "Validate a recipe, its data set and its weights without training",
  builder: (yargs) =>
    yargs
      .option("recipe", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "The recipe file, or the name of a shipped one",
      })
      .option("set", SET_OPTION)
      .option("cost", {
        type: "boolean",
        default: true,
        describe: "Measure a step: what the run will take in time and memory; --no-cost leaves it out",
      })
      .option("json", JSON_OPTION),
  handler: async ({ recipe: path, set = [], cost, json }) => {
    const [{ checkRecipe }, { describeCost }, { plotSchedule }] = await Promise.all([
      import("../../train/check.ts"),
      import("../../train/cost.ts"),
      import("../terminal/schedulePlot.ts"),
    ]);
    if (cost && process.stderr.isTTY) process.stderr.write("Measuring a step (--no-cost leaves it out) ...\n");
    const report = await checkRecipe(String(path), { overrides: set, cost });
    const text = () =>
      table(String(path), report, {
        plot: plotSchedule(report.schedule),
        cost: report.cost ? describeCost(report.cost) : [],
      });
    process.stdout.write(`${json ? JSON.stringify(report) : text()}\n`);
    if (!report.ok) process.exitCode = 2;
  },
};

function table(
  path: string,
  { ok, recipe, parameters, weights, data, schedule, shown }: CheckReport,
  { plot, cost }: { plot: string; cost: string[] },
): string {
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
  const images = data.splits.train?.images ?? 0;
  lines.push(...describePadding(shown, images));
  if (cost.length > 0) lines.push("", ...cost.map((line, i) => `${i === 0 ? "cost" : ""}`.padEnd(10) + line));
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
