// `compare`: two runs side by side, as a table, as JSON, or as a page.

import type { CommandModule } from "yargs";
import type { Difference, RunComparison } from "../../report/comparison.ts";
import { JSON_OPTION, OUT_OPTION } from "../options.ts";
import { printResult } from "../terminal/print.ts";
import { table } from "../terminal/table.ts";

type Arguments = { runA: string; runB: string; out?: string; json: boolean };

export const compareCommand: CommandModule<object, Arguments> = {
  command: "compare <runA> <runB>",
  describe: "Metrics, per-class AP and recipe difference of two runs",
  builder: (yargs) =>
    yargs
      .positional("runA", { type: "string", demandOption: true, describe: "Folder of a run" })
      .positional("runB", { type: "string", demandOption: true, describe: "Folder of the run to compare it with" })
      .option("out", { ...OUT_OPTION, describe: "Write a page, such as compare.html" })
      .option("json", JSON_OPTION) as never,
  handler: async ({ runA, runB, out, json }) => {
    const [{ readRunFolder }, { compareRuns }, { pairRuns }] = await Promise.all([
      import("../../run/runFolder.ts"),
      import("../../report/comparison.ts"),
      import("../../eval/paired/pairRuns.ts"),
    ]);
    const [a, b] = [await readRunFolder(runA), await readRunFolder(runB)];
    const uncertainty = await pairRuns(a, b);
    if (out) {
      const { comparePage } = await import("../../report/comparePage.ts");
      const { writeFileAtomic } = await import("../../util/files.ts");
      await writeFileAtomic(out, await comparePage(a, b, uncertainty));
    }
    const comparison = compareRuns(a, b, uncertainty);
    if (json) {
      console.log(JSON.stringify({ ...comparison, ...(out && { page: out }) }));
      return;
    }
    printResult(await asText(comparison));
    if (out) printResult(`\nWrote ${out}`);
  },
};

const MOST_CLASSES = 30;
const LONGEST = 60;
const SCORES = ["left", "right", "right", "right", "left"] as const;
const TEXTS = { align: ["left"], gap: 3 } as const;

async function asText({
  a,
  b,
  metrics,
  intervals,
  classes,
  class_metric,
  training,
  recipe,
  environment,
  caveats,
}: RunComparison): Promise<string> {
  const [{ shownValue }, { trainingTexts }, { describeIntervals, changeVerdict }] = await Promise.all([
    import("../../report/recipeDifference.ts"),
    import("../../report/text.ts"),
    import("../../report/comparison.ts"),
  ]);
  const at = ({ best }: RunComparison["a"]) =>
    best ? `best at epoch ${best.epoch + 1} by ${best.metric}` : "not evaluated";
  const keys = (rows: RunComparison["recipe"]) =>
    rows.map(({ key, a, b }) => [key, clip(shownValue(a)), clip(shownValue(b))]);
  const scores = (rows: Difference[]) =>
    rows.map((row) => [...cells(row, (value) => value.toFixed(4)), changeVerdict(row)]);
  const numbers = training.map(trainingTexts).map(({ name, texts }) => [name, ...texts]);
  const head = ["", "A", "B", "change"];
  const left = classes.length - MOST_CLASSES;
  return [
    `A  ${a.dir} (${a.name}): ${a.status}, ${at(a)}`,
    `B  ${b.dir} (${b.name}): ${b.status}, ${at(b)}`,
    ...caveats.map((text) => `Note: ${text}`),
    "",
    ...table([head, ...scores(metrics), [], ...numbers], { gap: 3, align: SCORES }),
    "",
    describeIntervals(intervals),
    ...(classes.length > 0
      ? [
          "",
          `${class_metric} by class, largest change first`,
          ...table([head, ...scores(classes.slice(0, MOST_CLASSES))], { gap: 3 }),
        ]
      : []),
    ...(left > 0 ? [`and ${left} more classes; all are in --json`] : []),
    "",
    ...(recipe.length === 0
      ? ["The recipes are the same."]
      : ["Recipe", ...table([["", "A", "B"], ...keys(recipe)], TEXTS)]),
    ...(environment.length === 0 ? [] : ["", "Environment", ...table([["", "A", "B"], ...keys(environment)], TEXTS)]),
  ].join("\n");
}

function cells({ name, a, b, change, half }: Difference, format: (value: number) => string): string[] {
  const alone = change === null ? "-" : `${change >= 0 ? "+" : ""}${format(change)}`;
  const by = half === undefined ? alone : `${alone} ± ${format(half)}`;
  return [name, ...[a, b].map((value) => (value === null ? "-" : format(value))), by];
}

function clip(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 3)}...`;
}
