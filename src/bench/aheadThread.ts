// The thread that prepares images while the model computes.

import { parentPort } from "node:worker_threads";
import { type Thrown, toThrown } from "../util/thread.ts";
import { decodeAll, type Prepared, readAll, resizeAll } from "./images.ts";

export type Order = { id: number; paths: readonly string[]; side: number };

/** What it answers. */
export type Answer = { id: number; prepared: Prepared } | { id: number; error: Thrown };

parentPort?.on("message", async ({ id, paths, side }: Order) => {
  try {
    const prepared = resizeAll(await decodeAll(await readAll(paths), paths), side);
    parentPort?.postMessage({ id, prepared } satisfies Answer, [prepared.pixels.buffer as ArrayBuffer]);
  } catch (cause) {
    parentPort?.postMessage({ id, error: toThrown(cause) } satisfies Answer);
  }
});
