// `--dry-run`: says what was tried, one line each, and that all of it worked.

import type { Recipe } from "../../recipe/schema.ts";
import { factLine } from "../../util/text/fact.ts";
import { STOPPED, stopSignal } from "../signals.ts";
import { printNote, printResult } from "../terminal/print.ts";
import { factTable } from "../terminal/table.ts";

/** Try a recipe; what does not work comes as the error that the run would end with. */
export async function runDry(
  path: string,
  recipe: Recipe,
  { overfit, overrides, json }: { overfit: number | undefined; overrides: readonly string[]; json: boolean },
): Promise<void> {
  const print = json ? printNote : printResult;
  print(`Dry run of ${path}: one batch, two validation images, a scratch folder`);
  const signal = stopSignal("stopping after this step", print);
  let started = false;
  const [{ dryRun }, { describeCost, estimateCost }] = await Promise.all([
    import("../../train/verbs/dryRun.ts"),
    import("../../train/cost.ts"),
  ]);
  try {
    const { parts, seconds } = await dryRun(recipe, {
      ...{ overfit, signal },
      onPart: ({ part, detail, seconds }) =>
        print(`  ok  ${factTable([[part, detail]], { least: [10] })[0]} (${seconds.toFixed(1)} s)`),
      onEvent: (event) => {
        if (event.type === "start" && !started) for (const fact of event.facts) print(`      ${factLine(fact)}`);
        if (event.type === "start") started = true;
        if (event.type === "warning") print(`Warning: ${event.message}`);
      },
    });
    const cost = await estimateCost(recipe, { signal });
    for (const line of describeCost(cost)) print(`      The run: ${line}`);
    print(`All of it works (${seconds.toFixed(1)} s). Nothing was kept.`);
    const words = ["--recipe", path, ...overrides.flatMap((set) => ["--set", set]), ...(overfit ? ["--overfit", overfit] : [])]; // biome-ignore format: one line
    print(`Train with: rfdetr-train ${words.map((word) => quoted(String(word))).join(" ")}`);
    if (json) process.stdout.write(`${JSON.stringify({ ok: true, seconds, parts, cost })}\n`);
  } catch (error) {
    if (error !== signal.reason) throw error;
    process.exitCode = STOPPED;
  }
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
