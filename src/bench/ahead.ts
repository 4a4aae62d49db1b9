// Images prepared by a thread of their own: a model's forward pass keeps the thread that calls it, so nothing else would run.

import { fromThrown, startThread } from "../util/thread.ts";
import type { Answer, Order } from "./aheadThread.ts";
import type { Prepared } from "./images.ts";

export type Ahead = {
  /** Read, decode and resize; throws a UserError naming an image that cannot be read. */
  prepare(paths: readonly string[], side: number): Promise<Prepared>;
  close(): Promise<void>;
};

export function imagesAhead(): Ahead {
  const waiting = new Map<number, { resolve(prepared: Prepared): void; reject(cause: Error): void }>();
  const thread = startThread("aheadThread", import.meta.url);
  let next = 0;
  thread.on("message", (answer: Answer) => {
    const job = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ("prepared" in answer) job?.resolve(answer.prepared);
    else job?.reject(fromThrown(answer.error));
  });
  const fail = (cause: Error) => {
    for (const { reject } of waiting.values()) reject(cause);
    waiting.clear();
  };
  thread.on("error", fail);
  thread.on("exit", (code) => fail(new Error(`The image thread ended with code ${code}.`)));
  return {
    prepare: (paths, side) =>
      new Promise((resolve, reject) => {
        const id = next++;
        waiting.set(id, { resolve, reject });
        thread.postMessage({ id, paths, side } satisfies Order);
      }),
    close: async () => void (await thread.terminate()),
  };
}
