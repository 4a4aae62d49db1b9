// Threads that run a module of this program, from the sources as well as from the build.

import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";
import { UserError } from "./errors.ts";

/** Start a thread with the module `name` (without its ending) beside the module at the address `from`. */
export function startThread(name: string, from: string, options: WorkerOptions = {}): Worker {
  if (!from.endsWith(".ts")) return new Worker(new URL(`./${name}.js`, from), options);
  // From the sources (development, tests): a thread has to ask for the loader that reads TypeScript by itself.
  const tsx = pathToFileURL(createRequire(fileURLToPath(from)).resolve("tsx/package.json"));
  const [loader, source] = [new URL("./dist/esm/api/index.mjs", tsx), new URL(`./${name}.ts`, from)];
  const code = `import("${loader}").then((tsx) => { tsx.register(); return import("${source}"); });`;
  return new Worker(code, { ...options, eval: true, execArgv: [] });
}

/** An error on its way from a thread: classes do not survive it, so a user's error says that it is one. */
export type Thrown = { message: string; hint: string | undefined; user: boolean; stack: string | undefined };

/** What a thread answers where its work threw. */
export function toThrown(cause: unknown): Thrown {
  const { message, stack } = cause as Error;
  const user = cause instanceof UserError;
  return { message, hint: user ? cause.hint : undefined, user, stack };
}

/** The error that a thread's work threw. */
export function fromThrown({ message, hint, user, stack }: Thrown): Error {
  if (user) return new UserError(message, hint === undefined ? {} : { hint });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
