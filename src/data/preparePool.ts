// A few threads that prepare images (`prepareWorker.ts`), so that the thread that trains never waits for pixels.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { UserError } from "../util/errors.ts";
import { type Prepared, type PrepareTask, prepare } from "./prepare.ts";
import type { Answer } from "./prepareWorker.ts";

/** `run` prepares one image, in the order of the calls, unless `signal` is aborted before; `close` ends the threads. */
export type PreparePool = {
  run(task: PrepareTask, signal?: AbortSignal): Promise<Prepared>;
  close(): Promise<void>;
};

type Job = {
  id: number;
  task: PrepareTask;
  signal: AbortSignal | undefined;
  resolve(result: Prepared): void;
  reject(cause: unknown): void;
};

/** A pool of `threads` threads, started at the first task; 0 prepares in the calling thread. */
export function createPreparePool(threads: number): PreparePool {
  if (threads === 0) return { run: (task) => prepare(task), close: async () => {} };
  const queue: Job[] = [];
  const idle: Worker[] = [];
  const busy = new Map<Worker, Job>();
  let nextId = 0;
  let closed = false;

  const dispatch = () => {
    while (queue.length > 0) {
      if (queue[0]!.signal?.aborted) {
        queue.shift()!.reject(new Error("The image is not wanted any more."));
        continue;
      }
      const worker = idle.pop() ?? (busy.size < threads ? start() : undefined);
      if (!worker) return;
      const job = queue.shift()!;
      busy.set(worker, job);
      worker.ref(); // a process lives as long as an image is awaited, and not because of idle threads
      worker.postMessage({ id: job.id, task: job.task });
    }
  };
  const finish = (worker: Worker): Job | undefined => {
    const job = busy.get(worker);
    busy.delete(worker);
    return job;
  };
  const start = (): Worker => {
    const worker = startWorker();
    worker.on("message", (answer: Answer) => {
      const job = finish(worker);
      worker.unref();
      idle.push(worker);
      if ("result" in answer) job?.resolve(answer.result);
      else job?.reject(toError(answer.error));
      dispatch();
    });
    const fail = (cause: unknown) => {
      const at = idle.indexOf(worker);
      if (at >= 0) idle.splice(at, 1);
      finish(worker)?.reject(cause);
      if (!closed) dispatch();
    };
    worker.on("error", fail);
    worker.on("exit", (code) => fail(new Error(`An image thread ended with code ${code}.`)));
    return worker;
  };
  return {
    run: (task, signal) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new Error("The image threads are closed."));
        queue.push({ id: nextId++, task, signal, resolve, reject });
        dispatch();
      }),
    async close() {
      closed = true;
      for (const job of queue.splice(0)) job.reject(new Error("The image threads were closed."));
      await Promise.all([...idle, ...busy.keys()].map((worker) => worker.terminate()));
    },
  };
}

function startWorker(): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL("./prepareWorker.js", import.meta.url));
  // From the sources (development, tests): a thread has to ask for the loader that reads TypeScript by itself.
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx/package.json"));
  const [loader, source] = [new URL("./dist/esm/api/index.mjs", tsx), new URL("./prepareWorker.ts", import.meta.url)];
  const code = `import("${loader}").then((tsx) => { tsx.register(); return import("${source}"); });`;
  return new Worker(code, { eval: true, execArgv: [] });
}

function toError({ message, hint, user, stack }: Extract<Answer, { error: unknown }>["error"]): Error {
  if (user) return new UserError(message, hint === undefined ? {} : { hint });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
