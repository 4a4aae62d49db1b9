// A few threads that prepare images (`prepareWorker.ts`), so that the thread that trains never waits for pixels.

import type { Worker } from "node:worker_threads";
import { fromThrown, startThread } from "../../util/thread.ts";
import { type Prepared, type PrepareTask, prepare } from "./prepare.ts";
import type { Answer, Order } from "./prepareWorker.ts";

/** `run` prepares one image and rejects at once when `signal` is aborted; `close` ends the threads. */
export type PreparePool = {
  run(task: PrepareTask, signal?: AbortSignal): Promise<Prepared>;
  close(): Promise<void>;
};

type Job = { resolve(result: Prepared): void; reject(cause: unknown): void };
type Thread = { worker: Worker; jobs: Map<number, Job> };

/** A pool of `threads` threads, each started when the others are busy; 0 prepares in the calling thread. */
export function createPreparePool(threads: number): PreparePool {
  if (threads === 0) return { run: (task) => prepare(task), close: async () => {} };
  const pool: Thread[] = [];
  let nextId = 0;
  let closed = false;

  const start = (): Thread => {
    const thread: Thread = { worker: startThread("prepareWorker", import.meta.url), jobs: new Map() };
    const { worker, jobs } = thread;
    worker.on("message", (answer: Answer) => {
      const job = take(thread, answer.id);
      if ("result" in answer) job?.resolve(answer.result);
      else job?.reject(fromThrown(answer.error));
    });
    const fail = (cause: unknown) => {
      const at = pool.indexOf(thread);
      if (at >= 0) pool.splice(at, 1);
      for (const id of [...jobs.keys()]) take(thread, id)?.reject(cause);
    };
    worker.on("error", fail);
    worker.on("exit", (code) => fail(new Error(`An image thread ended with code ${code}.`)));
    pool.push(thread);
    return thread;
  };
  /** The job, no longer waited for; a process lives as long as an image is awaited, not because of idle threads. */
  const take = ({ worker, jobs }: Thread, id: number): Job | undefined => {
    const job = jobs.get(id);
    jobs.delete(id);
    if (jobs.size === 0) worker.unref();
    return job;
  };
  /** The thread with the least to do. A thread holds its whole queue: it goes on while the calling thread computes. */
  const pick = (): Thread => {
    const least = pool.reduce<Thread | undefined>((a, b) => (a && a.jobs.size <= b.jobs.size ? a : b), undefined);
    return least && (least.jobs.size === 0 || pool.length >= threads) ? least : start();
  };
  return {
    run: (task, signal) =>
      new Promise((resolve, reject) => {
        if (closed || signal?.aborted) return reject(new Error("The image is not wanted any more."));
        const thread = pick();
        const id = nextId++;
        const abort = () => {
          thread.worker.postMessage({ id, task: null } satisfies Order);
          take(thread, id)?.reject(new Error("The image is not wanted any more."));
        };
        const settle =
          <T>(fn: (value: T) => void) =>
          (value: T) => {
            signal?.removeEventListener("abort", abort);
            fn(value);
          };
        thread.jobs.set(id, { resolve: settle(resolve), reject: settle(reject) });
        signal?.addEventListener("abort", abort, { once: true });
        thread.worker.ref();
        thread.worker.postMessage({ id, task } satisfies Order);
      }),
    async close() {
      closed = true;
      await Promise.all(pool.map(({ worker }) => worker.terminate()));
    },
  };
}
