// The thread that prepares images: tasks come in, pixels go out without being copied.

import { parentPort } from "node:worker_threads";
import { UserError } from "../util/errors.ts";
import { type Prepared, type PrepareTask, prepare } from "./prepare.ts";

/** What a thread is told: a task, or that one is not wanted any more. */
export type Order = { id: number; task: PrepareTask } | { id: number; task: null };

/** What it answers; a user's error travels as its text, since classes do not survive the way. */
export type Answer =
  | { id: number; result: Prepared }
  | { id: number; error: { message: string; hint?: string | undefined; user: boolean; stack?: string | undefined } };

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
      const { message, stack } = cause as Error;
      const user = cause instanceof UserError;
      const error = { message, hint: user ? cause.hint : undefined, user, stack };
      parentPort?.postMessage({ id, error } satisfies Answer);
    }
  }
  working = false;
}
