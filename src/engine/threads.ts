// How many threads libtensorflow computes with; it reads that once, when it is loaded.

import { UserError } from "../util/errors.ts";
import { isBackendLoaded } from "./backend.ts";

/** What it was set to in this process. */
let told: number | undefined;

/**
 * Let libtensorflow compute with so many threads. Must come before anything loads the engine; the same number may be
 * asked for again. Throws a UserError where the engine runs with another number already.
 */
export function limitThreads(threads: number): void {
  if (told === threads) return;
  if (isBackendLoaded()) {
    const now = told === undefined ? "threads of its own choice" : `${told} threads`;
    throw new UserError(`The engine runs with ${now} already; it cannot change to ${threads} in this process.`, {
      hint: "Measure each number of threads in a process of its own.",
    });
  }
  process.env.TF_NUM_INTRAOP_THREADS = String(threads);
  process.env.TF_NUM_INTEROP_THREADS = String(Math.min(threads, 2)); // of an evaluation two batches are under way
  process.env.OMP_NUM_THREADS = String(threads);
  told = threads;
}
