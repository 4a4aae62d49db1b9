// A trial of an ONNX file of others in a process of its own, so that one that takes endless time or memory, or crashes
// onnxruntime, is refused before it is opened here.

import { stat } from "node:fs/promises";
import { UserError } from "../util/errors.ts";
import { fileError } from "../util/files.ts";
import { disableTelemetry } from "../util/telemetry.ts";
import { fromThrown, startProcess, type Thrown } from "../util/threads/thread.ts";
import type { OnnxSession } from "./session.ts";
import { type Limits, PATIENCE, trialLimits } from "./trialLimits.ts";

export type OnnxPorts = Pick<OnnxSession, "inputs" | "outputs">;

/** Shapes of float32 inputs by their names, square images first among them: [count, channels, height, width]. */
export type Feeds = Record<string, readonly number[]>;

/** What the process is given at first, and after it has opened the file. */
export type TrialTask = { path: string; threads: number | undefined; limits: Limits };
export type TrialOrder = { runs: Feeds[]; limits: Limits };

/** What it answers: once it is open, and in the end. */
export type TrialAnswer = { ports: OnnxPorts } | { done: true } | { fault: Thrown };

/** For a process to begin, which is not the file's fault. */
const START_SECONDS = 60;

/** Files that passed, each with how many images: the same file is not tried twice by a process. */
const passed = new Set<string>();

/**
 * Open the file elsewhere and run it with each of these numbers of images. `feeds` says by the file's inputs and outputs what a
 * run is given; what it throws is thrown. Throws a UserError that names the file where that takes more time or memory than
 * `limitsOf` allows, where the process dies of it, and where onnxruntime refuses the file.
 */
export async function tryOnnx(
  path: string,
  {
    counts,
    threads,
    feeds,
    limitsOf = trialLimits,
  }: {
    counts: readonly number[];
    threads: number | undefined;
    feeds(ports: OnnxPorts, count: number): Feeds;
    limitsOf?: typeof trialLimits;
  },
): Promise<void> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true }).catch((cause) => {
    throw fileError(path, "read", cause);
  });
  const key = [dev, ino, size, mtimeNs, ctimeNs, ...counts].join();
  if (passed.has(key)) return;
  const bytes = Number(size);
  await inProcess({ path, threads, limits: limitsOf({ bytes, images: 0, side: 0 }) }, (ports) => {
    const runs = counts.map((count) => feeds(ports, count));
    const shapes = runs.map((run) => Object.values(run)[0]!);
    const images = shapes.reduce((sum, [count]) => sum + count!, 0);
    return { runs, limits: limitsOf({ bytes, images, side: Math.max(...shapes.map((shape) => shape.at(-1)!)) }) };
  });
  passed.add(key);
}

/** `orderFor` says by inputs and outputs what shall be run. */
function inProcess(task: TrialTask, orderFor: (ports: OnnxPorts) => TrialOrder): Promise<void> {
  disableTelemetry();
  return new Promise((resolve, reject) => {
    const child = startProcess("trialProcess", import.meta.url, { stdio: ["ignore", "pipe", "ignore", "ipc"] });
    let { limits } = task;
    let said = "";
    let end: (() => void) | undefined;
    const stop = () => child.kill("SIGKILL");
    const stopLater = () => setTimeout(stop, 1000 * (START_SECONDS + PATIENCE * limits.seconds)); // if its own watch does not
    let timer = stopLater();
    const finish = (how: () => void) => {
      end ??= how;
      stop();
    };
    const fail = (cause: unknown) => finish(() => reject(cause));
    const order = (ports: OnnxPorts) => {
      const next = orderFor(ports);
      limits = next.limits;
      clearTimeout(timer);
      timer = stopLater();
      child.send(next);
    };
    child.stdout?.on("data", (text) => {
      said += text;
    });
    child.on("message", (answer: TrialAnswer) => {
      try {
        if ("ports" in answer) order(answer.ports);
        else if ("done" in answer) finish(resolve);
        else fail(fromThrown(answer.fault));
      } catch (cause) {
        fail(cause);
      }
    });
    child.on("error", (cause) => {
      fail(cause);
      reject(cause); // one that never began does not close
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (end) end();
      else reject(refusal(task.path, said, { limits, end: signal ?? `code ${code}` }));
    });
    child.send(task);
  });
}

const HINT =
  "No RF-DETR does. Export the detector again; if it is one, try where more memory or a faster processor is.";

function refusal(path: string, said: string, { limits, end }: { limits: Limits; end: string }): UserError {
  const most: Record<string, string> = {
    memory: `${(limits.bytes / 1e9).toFixed(1)} GB of memory`,
    processor: `${limits.seconds.toFixed(1)} s of processor time`,
    time: `${(PATIENCE * limits.seconds).toFixed(1)} s`,
  };
  const why = most[said]
    ? `takes more than ${most[said]} to be opened and run once`
    : `ends the process that tries it (${end}): it crashes onnxruntime, or memory ran out`;
  return new UserError(`${path} ${why}.`, { hint: HINT });
}
