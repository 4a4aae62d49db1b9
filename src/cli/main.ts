#!/usr/bin/env node
// The command line: one file a command; what a command needs is imported when it runs, so that --help is instant.

import { spawnSync } from "node:child_process";
import type { Argv, CommandModule } from "yargs";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { programVersion } from "../run/environment.ts";
import { dataCommand } from "./data/data.ts";
import { launchCommand } from "./launch/launch.ts";
import { reportError } from "./reportError.ts";
import { compareCommand } from "./runs/compare.ts";
import { extendCommand } from "./runs/extend.ts";
import { reportCommand } from "./runs/report.ts";
import { resumeCommand } from "./runs/resume.ts";
import { rollbackCommand } from "./runs/rollback.ts";
import { syncCommand } from "./runs/sync.ts";
import { trainCommand } from "./runs/train.ts";
import { watchCommand } from "./runs/watch.ts";
import { checkCommand } from "./setup/check.ts";
import { doctorCommand } from "./setup/doctor.ts";
import { recipesCommand } from "./setup/recipes.ts";
import { offerSetup, setupCommand } from "./setup/setup.ts";
import { hasRun, hasStopSignal, installSignals, STOPPED } from "./signals.ts";
import { helpFirst, inputAsValue, refuseUnknownCommand, usageError } from "./usage.ts";
import { benchmarkCommand } from "./weights/benchmark.ts";
import { convertCommand } from "./weights/convert.ts";
import { evaluateCommand } from "./weights/evaluate.ts";
import { exportCommand } from "./weights/export.ts";
import { predictCommand } from "./weights/predict.ts";

// biome-ignore lint/complexity/noBannedTypes: yargs' own type for a command whose arguments are its own business
type Command = CommandModule<{}, never>;

/** The options of the command that was parsed; yargs' types leave it out. */
type Parser = Argv & { getOptions(): { key: Record<string, boolean> } };

const commands = [
  trainCommand,
  resumeCommand,
  extendCommand,
  rollbackCommand,
  launchCommand,
  checkCommand,
  evaluateCommand,
  predictCommand,
  exportCommand,
  convertCommand,
  dataCommand,
  compareCommand,
  reportCommand,
  watchCommand,
  benchmarkCommand,
  syncCommand,
  recipesCommand,
  setupCommand,
  doctorCommand,
] as unknown as Command[];

/** How each command is called, such as "resume <dir>". */
const USAGES = commands
  .flatMap(({ command }) => [command].flat().map(String))
  .filter((usage) => !usage.startsWith("$0"));
const NAMES = [...USAGES.map((usage) => usage.split(" ")[0]!), "completion", "help"];

/** Run one command line; returns the exit code: 0 done, 1 a bug, 2 the user can fix it, 3 stopped. */
async function main(words: string[]): Promise<number> {
  try {
    refuseUnknownCommand(words, NAMES);
    const parser: Argv = yargs(inputAsValue(helpFirst(words)));
    await parser
      .scriptName("rfdetr-train")
      .usage("Fine-tune RF-DETR object detectors.\n\n$0 --recipe FILE\n$0 <command>")
      .locale("en")
      .command(commands as unknown as CommandModule[])
      .version(programVersion())
      .alias({ h: "help", v: "version" })
      .completion("completion", "Print a script for the shell that completes commands and options")
      .strict()
      .wrap(Math.min(110, process.stdout.columns ?? 100))
      .exitProcess(false)
      .fail((message, error) => {
        throw error && error.name !== "YError"
          ? error
          : usageError(message, words, { options: Object.keys((parser as Parser).getOptions().key), usages: USAGES });
      })
      .parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (await offerSetup(error)) return again(words);
    return reportError(error, { json: wantsJson(words) });
  }
}

/** The same command in a new process, which finds the engine that was missing. */
function again(words: string[]): number {
  const { status } = spawnSync(process.execPath, [...process.execArgv, process.argv[1]!, ...words], {
    stdio: "inherit",
  });
  return status ?? STOPPED;
}

/** Whether a command line asks for JSON, also one that cannot be parsed. */
function wantsJson(words: readonly string[]): boolean {
  const options = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
  return options.findLast((word) => /^--(no-)?json(=|$)/.test(word))?.match(/^--json(=true)?$/) != null;
}

// A reader that went away (`| head`) and a terminal that was closed end a command that only prints; a training run goes on
// without its output, also where the disk of its output is full.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "EIO") {
      if (hasRun()) return;
      throw error;
    }
    if (!hasStopSignal()) process.exit(Number(process.exitCode ?? 0));
  });

for (const event of ["uncaughtException", "unhandledRejection"] as const)
  process.on(event, (error: unknown) => process.exit(reportError(error, { json: wantsJson(hideBin(process.argv)) })));

installSignals();
const code = await main(hideBin(process.argv));
await new Promise((done) => process.stdout.write("", done));
process.exit(code);
