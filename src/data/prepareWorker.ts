// The thread that prepares images: tasks come in, pixels go out without being copied.

import { parentPort } from "node:worker_threads";
import { UserError } from "../util/errors.ts";
import { type Prepared, type PrepareTask, prepare } from "./prepare.ts";

/** What a thread answers; a user's error travels as its text, since classes do not survive the way. */
export type Answer =
  | { id: number; result: Prepared }
  | { id: number; error: { message: string; hint?: string | undefined; user: boolean; stack?: string | undefined } };

parentPort?.on("message", async ({ id, task }: { id: number; task: PrepareTask }) => {
  try {
    const result = await prepare(task);
    parentPort?.postMessage({ id, result } satisfies Answer, [result.pixels.buffer as ArrayBuffer]);
  } catch (cause) {
    const { message, stack } = cause as Error;
    const user = cause instanceof UserError;
    parentPort?.postMessage({
      id,
      error: { message, hint: user ? cause.hint : undefined, user, stack },
    } satisfies Answer);
  }
});
