// `launch`: trains with several workers on this machine, and starts all of them again where one is lost.

import { availableParallelism } from "node:os";
import type { CommandModule } from "yargs";
import { nvidiaGpus } from "../../../setup/machine.mjs";
import { LOST } from "../../distributed/workerLost.ts";
import { UserError } from "../../util/errors.ts";
import { requireCount, requireOnce } from "../options.ts";
import { giveUpSignal, STOPPED, stopSignal } from "../signals.ts";
import { printNote } from "../terminal/print.ts";
import { type Ended, startWorkers, type WorkersOptions } from "./launchWorkers.ts";

type Arguments = { nproc: number; restarts: number };

export const launchCommand: CommandModule<object, Arguments> = {
  command: "launch",
  describe: "Train with several workers on this machine: one a GPU, or sharing its processors",
  builder: (yargs) =>
    yargs
      .usage("$0 launch --nproc N --recipe FILE [options of a training]")
      .option("nproc", { type: "number", demandOption: true, requiresArg: true, describe: "Number of workers" })
      .option("restarts", {
        type: "number",
        requiresArg: true,
        default: 3,
        describe: "How often to go on from the last checkpoint where a worker is lost",
      })
      .strict(false) as never, // the rest is the workers' business
  handler: async ({ nproc, restarts, ...rest }) => {
    requireOnce({ nproc, restarts });
    requireCount("nproc", nproc);
    if (!(Number.isInteger(restarts) && restarts >= 0))
      throw new UserError(`--restarts is ${restarts}; it must be a whole number from 0.`);
    for (const name of ["workers", "rank"])
      if (name in rest)
        throw new UserError(`--${name} cannot be given to launch, which says it to each worker itself.`);
    const words = trainingWords(process.argv.slice(process.argv.indexOf("launch") + 1));
    const silent = () => {}; // the workers answer
    const signal = stopSignal("stopping all workers", silent);
    const giveUp = giveUpSignal("stopping all workers");
    const environment = environmentOf(nproc, rest as { device?: unknown });
    process.exitCode = await untilDone(nproc, words, { restarts, environment, signal, giveUp });
  },
};

/** The words of a command line that a worker is given: all but those of `launch`. */
export function trainingWords(words: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (/^--(nproc|restarts)$/.test(word)) i++;
    else if (!/^--(nproc|restarts)=/.test(word)) kept.push(word);
  }
  return kept;
}

/** What each worker's environment adds to this one's: a GPU of its own, or a share of the processors. */
function environmentOf(nproc: number, { device }: { device?: unknown }): (rank: number) => Record<string, string> {
  const shown = process.env.CUDA_VISIBLE_DEVICES?.split(",").filter((one) => one !== "" && !one.startsWith("-"));
  const gpus = device === "cpu" ? [] : (shown ?? nvidiaGpus().map((_, i) => String(i)));
  if (gpus.length > 0 && nproc > gpus.length)
    throw new UserError(
      `--nproc is ${nproc}, and there ${gpus.length === 1 ? "is one GPU" : `are ${gpus.length} GPUs`}.`,
      {
        hint: "A worker takes one GPU. --device cpu trains on the processors.",
      },
    );
  const threads = String(Math.max(1, Math.floor(availableParallelism() / nproc)));
  return (rank) => ({
    TF_NUM_INTRAOP_THREADS: process.env.TF_NUM_INTRAOP_THREADS ?? threads,
    OMP_NUM_THREADS: process.env.OMP_NUM_THREADS ?? threads,
    ...(gpus.length > 0 && { CUDA_VISIBLE_DEVICES: gpus[rank]! }),
  });
}

/** Start the workers, and again where one is lost; returns the exit code. */
async function untilDone(
  nproc: number,
  words: readonly string[],
  { restarts, ...options }: { restarts: number } & WorkersOptions,
): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const again = attempt > 0 && !words.includes("--resume") ? ["--resume"] : [];
    const ended = await startWorkers(nproc, [...words, ...again], options);
    const code = codeOf(ended);
    if (code !== LOST || ended.stopped) return code;
    const lost = ended.codes.findIndex((one) => one !== LOST && one !== 0);
    const who = lost < 0 ? "A worker" : `Worker ${lost}`;
    if (attempt >= restarts) {
      printNote(
        `${who} was lost, ${attempt === 0 ? "" : `for the ${attempt + 1}. time, `}and --restarts is ${restarts}.`,
      );
      return code;
    }
    printNote(
      `${who} was lost: all start again, from the last checkpoint (restart ${attempt + 1} of at most ${restarts}).`,
    );
  }
}

/** What all workers together come to: a mistake before anything else, then a stop, then a loss. */
export function codeOf({ codes, stopped }: Ended): number {
  for (const code of [2, 1]) if (codes.includes(code)) return code;
  if (codes.every((code) => code === 0)) return 0;
  if (codes[0] === STOPPED || stopped) return STOPPED;
  return LOST;
}
