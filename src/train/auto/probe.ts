// Whole steps of a recipe tried in a process of its own: what they take in time and memory, and whether they fit.

import type { Architecture } from "../../architecture/variants.ts";
import type { Sample } from "../../data/dataset/sample.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { multiScaleSides } from "../../step/multiScale.ts";
import { fromThrown, startProcess, type Thrown } from "../../util/threads/thread.ts";
import type { ProbeResult } from "./batchSearch.ts";

type Probed = Exclude<ProbeResult, { failed: string }>;

/** What a probing process is given. */
export type ProbeTask = {
  recipe: Recipe;
  architecture: Architecture;
  batchSize: number;
  /** Side of the images and boxes of each: the most that the run can meet. */
  side: number;
  boxes: number;
  /** Whether the forward pass of an evaluation is measured, too. */
  evaluation?: boolean;
};

/** What it answers, seconds of evaluation being those of one image: `failed` where memory ran out, `fault` for anything else that went wrong. */
export type ProbeAnswer =
  | (Probed & { kind: "cpu" | "gpu"; evaluationSeconds: number | null })
  | { failed: string }
  | { fault: Thrown };

const MOST_SECONDS_A_PROBE = 180;

/** The largest side of an image, and the most boxes in one, that a run can meet. */
export function heaviest(
  recipe: Recipe,
  architecture: Architecture,
  samples: readonly Sample[],
): Pick<ProbeTask, "side" | "boxes"> {
  const boxes = samples.reduce((max, { annotations }) => Math.max(max, annotations.filter((a) => !a.crowd).length), 0);
  const side = recipe.data.multi_scale === "off" ? architecture.resolution : multiScaleSides(architecture).at(-1)!;
  return { side, boxes };
}

/** One probe in a process of its own. Throws what is wrong with anything but memory, and the reason of `signal`. */
export async function runProbe(
  task: ProbeTask,
  signal: AbortSignal | undefined,
): Promise<Exclude<ProbeAnswer, { fault: Thrown }>> {
  const trial = `A trial of batch size ${task.batchSize}`;
  const answer = await new Promise<ProbeAnswer>((resolve, reject) => {
    const child = startProcess("probeProcess", import.meta.url, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
    const stop = () => child.kill("SIGKILL");
    const timer = setTimeout(stop, 1000 * MOST_SECONDS_A_PROBE);
    let answer: ProbeAnswer | undefined;
    signal?.addEventListener("abort", stop, { once: true });
    child.on("message", (message: ProbeAnswer) => {
      answer = message;
    });
    child.on("error", reject);
    child.on("exit", (code, killedBy) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      if (signal?.aborted) reject(signal.reason);
      else if (answer) resolve(answer);
      else if (killedBy) resolve({ failed: `the system ended it (${killedBy})` });
      else reject(new Error(`${trial}: the process ended with code ${code}`));
    });
    child.send(task);
  });
  if (!("fault" in answer)) return answer;
  const { fault } = answer;
  throw fault.user ? fromThrown(fault) : new Error(`${trial}: ${fault.stack ?? fault.message}`);
}
