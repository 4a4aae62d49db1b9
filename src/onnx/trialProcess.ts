// The process that opens and runs an ONNX file before any other does: what the file takes is taken here, and a thread ends the
// process where that is too much. onnxruntime keeps the thread that calls it, and cannot be stopped from outside.

import { Worker } from "node:worker_threads";
import { dieFirst } from "../util/threads/dieFirst.ts";
import { toThrown } from "../util/threads/thread.ts";
import { openOnnx } from "./session.ts";
import type { Feeds, TrialAnswer, TrialOrder, TrialTask } from "./trial.ts";
import { type Limits, PATIENCE } from "./trialLimits.ts";

/**
 * Looks at clock and memory of the whole process, 50 times a second. Plain JavaScript in a text: a thread that runs a file of
 * this program would need a loader first where it runs from the sources. What it writes says why the process ended.
 */
const WATCH = `
const { workerData } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const look = () => {
  const [began, seconds, bytes] = workerData.limits;
  const { user, system } = process.cpuUsage();
  const passed =
    process.memoryUsage.rss() > bytes ? "memory"
    : (user + system) / 1e6 > seconds ? "processor"
    : Number(process.hrtime.bigint()) / 1e9 - began > workerData.patience * seconds ? "time"
    : "";
  if (!passed && process.ppid === workerData.parent) return;
  try { writeSync(1, passed); } finally { process.kill(process.pid, "SIGKILL"); }
};
setInterval(look, 20);
`;

process.on("SIGINT", () => {}); // Ctrl-C reaches every process of a terminal; the one that started this decides
process.once("message", (task: TrialTask) => {
  probe(task)
    .catch((cause: unknown): TrialAnswer => ({ fault: toThrown(cause) }))
    .then((answer) => process.send?.(answer)); // who gets it ends this process
});

async function probe({ path, threads, limits }: TrialTask): Promise<TrialAnswer> {
  dieFirst();
  const [began, used] = [Number(process.hrtime.bigint()) / 1e9, process.cpuUsage()];
  const held = new Float64Array(new SharedArrayBuffer(24));
  const set = ({ seconds, bytes }: Limits) => held.set([began, (used.user + used.system) / 1e6 + seconds, bytes]);
  set(limits);
  const workerData = { limits: held, patience: PATIENCE, parent: process.ppid };
  const watch = new Worker(WATCH, { eval: true, execArgv: [], workerData });
  await new Promise((resolve) => watch.once("online", resolve));
  const { run, inputs, outputs } = await openOnnx(path, threads === undefined ? {} : { threads });
  const order = await new Promise<TrialOrder>((resolve) => {
    process.once("message", resolve);
    process.send?.({ ports: { inputs, outputs } } satisfies TrialAnswer);
  });
  set(order.limits);
  for (const feeds of order.runs) await run(made(feeds));
  return { done: true };
}

/** Numbers that are neither all alike nor very small. */
function made(feeds: Feeds) {
  const tensor = (shape: readonly number[]) => {
    const data = new Float32Array(shape.reduce((product, n) => product * n, 1));
    for (let i = 0; i < data.length; i++) data[i] = Math.sin(i / 50);
    return { data, shape };
  };
  return Object.fromEntries(Object.entries(feeds).map(([name, shape]) => [name, tensor(shape)]));
}
