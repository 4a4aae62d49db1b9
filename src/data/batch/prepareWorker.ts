// The thread that prepares images: tasks come in, pixels go out without being copied.

import { parentPort } from "node:worker_threads";
import { type Thrown, toThrown } from "../../util/thread.ts";
import { type Prepared, type PrepareTask, prepare } from "./prepare.ts";

/** What a thread is told: a task, or that one is not wanted any more. */
export type Order = { id: number; task: PrepareTask } | { id: number; task: null };

/** What it answers. */
export type Answer = { id: number; result: Prepared } | { id: number; error: Thrown };

const tasks = new Map<number, PrepareTask>();
let working = false;

parentPort?.on("message", ({ id, task }: Order) => {
  if (task) tasks.set(id, task);
  else tasks.delete(id);
  if (!working) work();
});

/** One image after the other, in the order in which they came. */
async function work(): Promise<void> {
  working = true;
  for (const [id, task] of tasks) {
    tasks.delete(id);
    try {
      const result = await prepare(task);
      parentPort?.postMessage({ id, result } satisfies Answer, [result.pixels.buffer as ArrayBuffer]);
    } catch (cause) {
      parentPort?.postMessage({ id, error: toThrown(cause) } satisfies Answer);
    }
  }
  working = false;
}
