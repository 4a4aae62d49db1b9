// The thread that prepares images while the model computes.

import { parentPort } from "node:worker_threads";
import { UserError } from "../util/errors.ts";
import { decodeAll, type Prepared, readAll, resizeAll } from "./images.ts";

export type Order = { id: number; paths: readonly string[]; side: number };

/** What it answers; a user's error travels as its text, since classes do not survive the way. */
export type Answer =
  | { id: number; prepared: Prepared }
  | { id: number; message: string; hint: string | undefined; user: boolean; stack: string | undefined };

parentPort?.on("message", async ({ id, paths, side }: Order) => {
  try {
    const prepared = resizeAll(await decodeAll(await readAll(paths), paths), side);
    parentPort?.postMessage({ id, prepared } satisfies Answer, [prepared.pixels.buffer as ArrayBuffer]);
  } catch (cause) {
    const { message, stack } = cause as Error;
    const user = cause instanceof UserError;
    parentPort?.postMessage({ id, message, hint: user ? cause.hint : undefined, user, stack } satisfies Answer);
  }
});
