// What the benchmarks share: a process that does one turn, such as a training step, for each line it is sent, and medians.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism, cpus } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const here = (file) => fileURLToPath(new URL(file, import.meta.url));

/** Our step; `mode` is a value of train.gradient_checkpointing, or `frozen` for a frozen encoder; with `+graph`, recorded. */
export const ourStepper = (batch, resolution, mode = "none", env = {}, variant = "nano") =>
  stepper(process.execPath, ["--import", "tsx", here("step-ours.mjs"), batch, resolution, mode, variant], env);

/**
 * `step()` resolves to what the process answers: `{ milliseconds, processor, peak }` of a training step, its time, the processor's (of all
 * threads) and the peak resident memory in bytes so far.
 */
export function stepper(command, args, env = {}) {
  const stdio = ["pipe", "pipe", "inherit"];
  const child = spawn(command, args.map(String), { stdio, env: { ...process.env, ...env } });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.on("error", (error) => console.error(`${command}: ${error.message}`));
  child.stdin.on("error", () => {}); // its end is reported below
  return {
    async step(line = "step") {
      child.stdin.write(`${line}\n`);
      const { value, done } = await answers.next();
      if (done) throw new Error(`${command} ended before its step was done`);
      return JSON.parse(value);
    },
    async end() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}

/** All steppers take turns; returns what each answered after `warmUp` rounds, by name. */
export async function takeTurns(steppers, { warmUp, rounds }) {
  const results = Object.fromEntries(Object.keys(steppers).map((name) => [name, []]));
  try {
    for (let i = 0; i < warmUp + rounds; i++) {
      for (const [name, one] of Object.entries(steppers)) {
        const result = await one.step();
        if (i >= warmUp) results[name].push(result);
      }
    }
  } finally {
    await Promise.all(Object.values(steppers).map((one) => one.end()));
  }
  return results;
}

/** Median, fastest and slowest step and the median of processor time in milliseconds, and the peak in bytes. */
export function summarise(list) {
  const times = list.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  const peak = Math.max(...list.map((one) => one.peak));
  const processor = medianOf(list.map((one) => one.processor));
  return { median: medianOf(times), least: times[0], most: times.at(-1), processor, peak };
}

function medianOf(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** What limits both libraries to so many threads; ours as its `--threads` does. */
export const limited = (threads) =>
  threads === "default"
    ? {}
    : {
        TF_NUM_INTRAOP_THREADS: threads,
        TF_NUM_INTEROP_THREADS: String(Math.min(threads, 2)),
        OMP_NUM_THREADS: threads,
        MKL_NUM_THREADS: threads,
      };

/** Median, least and largest of some numbers. */
export function spread(list) {
  const sorted = list.toSorted((a, b) => a - b);
  return { median: medianOf(list), least: sorted[0], most: sorted.at(-1) };
}

/** A spread for people. */
export function shown({ median, least, most }, digits) {
  return `${median.toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`;
}

export const machine = () => `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}`;
export const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
export const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`;
