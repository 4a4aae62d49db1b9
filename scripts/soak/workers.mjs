// Ends or freezes one worker of a training of several at a random instant, and lets `launch` start all of them again: every run must end,
// in the same bytes as one that was left alone, and no loss may hold the others for longer than a minute.

import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { printed, start } from "./process.mjs";
import { differences, outcome, randomOf, writeTinyRecipe } from "./tinyRun.mjs";

const MOST_HANG_MS = 60_000;
const EPOCHS = 60;
const AGAIN = /was lost: all start again/;

/**
 * `times` runs of `workers` workers, each with one of them killed (SIGKILL) or frozen (SIGSTOP) once. Returns how many of them were hit and
 * done, the hits by signal with the longest time until all started again, and what was wrong.
 */
export async function losses({ times, workers, seed, minutes = Number.POSITIVE_INFINITY, program, say = () => {} }) {
  const random = randomOf(seed);
  const scratch = await mkdtemp(join(tmpdir(), "soak-workers-"));
  const until = performance.now() + minutes * 60_000;
  const counts = Object.fromEntries(["SIGKILL", "SIGSTOP"].map((signal) => [signal, { hits: 0, seconds: 0 }]));
  const faults = [];
  let done = 0;
  try {
    const recipe = await writeTinyRecipe(scratch, random, { epochs: EPOCHS });
    const words = (dir) => [...program, "launch", "--nproc", String(workers), "--recipe", recipe, "--run", dir];
    const began = performance.now();
    const { code, output } = await start(words(join(scratch, "whole"))).done;
    if (code !== 0) throw new Error(`the run that is left alone failed:\n${output}`);
    const [whole, expected] = [performance.now() - began, await outcome(join(scratch, "whole"))];
    say(`a run that is left alone takes ${(whole / 1000).toFixed(1)} s`);
    for (let tried = 1; done < times && tried <= 2 * times && performance.now() < until; tried++) {
      const dir = join(scratch, `run-${tried}`);
      const signal = random() < 0.5 ? "SIGKILL" : "SIGSTOP";
      const [ms, rank] = [random() * whole, Math.floor(random() * workers)];
      const running = start(words(dir));
      const hit = await hitWorker(running, { signal, rank, ms });
      const result = await running.done;
      const different = differences(expected, await outcome(dir).catch((error) => ({ error: error.message })));
      const at = `worker ${rank}, ${signal} after ${(ms / 1000).toFixed(1)} s`;
      const wrong = [
        ...(result.code === 0 ? [] : [`exit code ${result.code}`]),
        ...(different.length === 0 ? [] : [`differs in ${different.join(", ")}`]),
        ...(hit && hit.ms > MOST_HANG_MS ? [`the others took ${(hit.ms / 1000).toFixed(0)} s to end`] : []),
      ];
      if (wrong.length > 0)
        say(`FAULT: ${faults[faults.push(`run ${tried}: ${wrong.join("; ")}; ${at}:\n${result.output}`) - 1]}`);
      say(
        `run ${tried}: ${at}: ${hit ? `all again after ${(hit.ms / 1000).toFixed(1)} s` : "done before"}: ${different.length === 0 ? "same bytes" : "DIFFERENT"}`,
      );
      if (hit) {
        done++;
        counts[signal].hits++;
        counts[signal].seconds = Math.max(counts[signal].seconds, Math.round(hit.ms / 100) / 10);
      }
      await rm(dir, { recursive: true, force: true });
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { done, counts, faults };
}

/** After so many ms; undefined where the run was done by then. Resolves once `launch` has started all of them again, or given up. */
async function hitWorker(running, { signal, rank, ms }) {
  let over = false;
  const ended = running.done.finally(() => {
    over = true;
  });
  await Promise.race([sleep(ms), ended]);
  const pid = over ? undefined : childrenOf(running.child.pid).find((child) => rankOf(child) === rank);
  if (pid === undefined) return undefined;
  const began = performance.now();
  try {
    process.kill(pid, signal);
  } catch {
    return undefined; // gone in this very moment
  }
  await Promise.race([printed(running, AGAIN), ended]);
  return AGAIN.test(running.output) ? { ms: performance.now() - began } : undefined;
}

function childrenOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.trim().split(" ").filter(Boolean).map(Number);
}

/** The worker that a process is, by its command line. */
function rankOf(pid) {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return Number(words[words.indexOf("--rank") + 1]);
  } catch {
    return undefined;
  }
}
