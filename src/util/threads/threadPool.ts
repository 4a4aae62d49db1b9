// Orders to a few threads that all do one kind of work, and their answers; what the work throws arrives as it was thrown.

import { parentPort, type Worker } from "node:worker_threads";
import { fromThrown, startThread, type Thrown, toThrown } from "./thread.ts";

/** What threads do: plain data in, plain data out, as both are sent from thread to thread. */
type Work = (order: never) => Promise<unknown>;
type OrderOf<W extends Work> = Parameters<W>[0];
type AnswerOf<W extends Work> = Awaited<ReturnType<W>>;

/** What a thread is sent: an order, or that one is not wanted any more. */
type Request<W extends Work> = { id: number; order: OrderOf<W> } | { id: number; dropped: true };
type Response<W extends Work> = { id: number; answer: AnswerOf<W> } | { id: number; error: Thrown };

export type ThreadPool<W extends Work> = {
  /**
   * Have an order carried out. Rejects with what the work threw (a UserError stays one), where the thread ends before it
   * answers, and at once where `signal` is aborted. `transfer`: arrays of the order that are handed over without being copied.
   */
  run(order: OrderOf<W>, options?: { signal?: AbortSignal; transfer?: ArrayBufferView[] }): Promise<AnswerOf<W>>;
  /** End the threads. Orders that are under way fail. */
  close(): Promise<void>;
};

export type ThreadPoolOptions = {
  /** The module, without its ending, that calls `carryOut` with the same work; it lies beside the one at `from`. */
  module: string;
  from: string;
  /** At most so many threads, each started when the others are busy. */
  threads: number;
  /** Such a thread, at the beginning of a message: "An image thread". */
  name: string;
};

/** Give the work's own type: `createThreadPool<typeof prepare>(...)`. */
export function createThreadPool<W extends Work>({ module, from, threads, name }: ThreadPoolOptions): ThreadPool<W> {
  const pool: Thread<W>[] = [];
  let nextId = 0;
  let closed = false;

  const start = (): Thread<W> => {
    const thread: Thread<W> = { worker: startThread(module, from), jobs: new Map() };
    const { worker, jobs } = thread;
    worker.unref();
    worker.on("message", (response: Response<W>) => {
      const job = take(thread, response.id);
      if ("error" in response) job?.reject(fromThrown(response.error));
      else job?.resolve(response.answer);
    });
    const fail = (cause: unknown) => {
      const at = pool.indexOf(thread);
      if (at >= 0) pool.splice(at, 1);
      for (const id of [...jobs.keys()]) take(thread, id)?.reject(cause);
    };
    worker.on("error", fail);
    worker.on("exit", (code) => fail(new Error(`${name} ended with code ${code}.`)));
    pool.push(thread);
    return thread;
  };
  /** The thread with the least to do. A thread holds its whole queue: it goes on while the calling thread computes. */
  const pick = (): Thread<W> => {
    const least = pool.reduce<Thread<W> | undefined>((a, b) => (a && a.jobs.size <= b.jobs.size ? a : b), undefined);
    return least && (least.jobs.size === 0 || pool.length >= threads) ? least : start();
  };
  return {
    run: (order, { signal, transfer = [] } = {}) =>
      new Promise((resolve, reject) => {
        const unwanted = () => new Error("The answer is not wanted any more.");
        if (closed || signal?.aborted) return reject(unwanted());
        const thread = pick();
        const id = nextId++;
        const abort = () => {
          thread.worker.postMessage({ id, dropped: true } satisfies Request<W>);
          take(thread, id)?.reject(unwanted());
        };
        const settle =
          <T>(fn: (value: T) => void) =>
          (value: T) => {
            signal?.removeEventListener("abort", abort);
            fn(value);
          };
        const buffers = transfer.map(({ buffer }) => buffer as ArrayBuffer);
        thread.worker.postMessage({ id, order } satisfies Request<W>, buffers); // throws where it is no plain data
        thread.jobs.set(id, { resolve: settle(resolve), reject: settle(reject) });
        signal?.addEventListener("abort", abort, { once: true });
        thread.worker.ref();
      }),
    async close() {
      closed = true;
      await Promise.all(pool.map(({ worker }) => worker.terminate()));
    },
  };
}

type Job<W extends Work> = { resolve(answer: AnswerOf<W>): void; reject(cause: unknown): void };
type Thread<W extends Work> = { worker: Worker; jobs: Map<number, Job<W>> };

/** The job, no longer waited for; a process lives as long as an answer is awaited, not because of idle threads. */
function take<W extends Work>({ worker, jobs }: Thread<W>, id: number): Job<W> | undefined {
  const job = jobs.get(id);
  jobs.delete(id);
  if (jobs.size === 0) worker.unref();
  return job;
}

/**
 * In the thread: carry out orders one after the other, in the order in which they came. `transfer` names the arrays of an
 * answer that are handed over without being copied.
 */
export function carryOut<W extends Work>(
  work: W,
  { transfer = () => [] }: { transfer?: (answer: AnswerOf<W>) => ArrayBufferView[] } = {},
): void {
  const orders = new Map<number, OrderOf<W>>();
  let working = false;
  const carryOn = async () => {
    working = true;
    for (const [id, order] of orders) {
      orders.delete(id);
      try {
        const answer = (await work(order as never)) as AnswerOf<W>;
        const buffers = transfer(answer).map(({ buffer }) => buffer as ArrayBuffer);
        parentPort?.postMessage({ id, answer } satisfies Response<W>, buffers);
      } catch (cause) {
        parentPort?.postMessage({ id, error: toThrown(cause) } satisfies Response<W>);
      }
    }
    working = false;
  };
  parentPort?.on("message", (request: Request<W>) => {
    if ("dropped" in request) orders.delete(request.id);
    else orders.set(request.id, request.order);
    if (!working) carryOn();
  });
}
