// The thread of the thread pool's tests.

import { setTimeout as sleep } from "node:timers/promises";
import { threadId } from "node:worker_threads";
import { UserError } from "../../src/util/errors.ts";
import { carryOut } from "../../src/util/threads/threadPool.ts";

export type Lesson = { say?: number[]; wait?: number; fail?: "user" | "bug" | "crash" | "no data" };

export async function learn({ say = [], wait = 0, fail }: Lesson): Promise<{ said: Float32Array; thread: number }> {
  await sleep(wait);
  if (fail === "user") throw new UserError("the file is broken", { hint: "Replace it." });
  if (fail === "bug") throw new TypeError("not a function");
  if (fail === "crash") process.exit(3);
  if (fail === "no data") return { said: (() => {}) as never, thread: threadId };
  return { said: Float32Array.from(say), thread: threadId };
}

carryOut(learn, { transfer: ({ said }) => (said.buffer ? [said] : []) });
