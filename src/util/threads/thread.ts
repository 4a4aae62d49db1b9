// Threads and processes that run a module of this program, from the sources as well as from the build.

import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";
import { UserError } from "../errors.ts";
import { disableTelemetry } from "../telemetry.ts";

/** Start a thread with the module `name` (without its ending) beside the module at the address `from`. */
export function startThread(name: string, from: string, options: WorkerOptions = {}): Worker {
  disableTelemetry();
  if (!from.endsWith(".ts")) return new Worker(new URL(`./${name}.js`, from), options);
  // From the sources (development, tests): a thread has to ask for the loader that reads TypeScript by itself.
  const tsx = pathToFileURL(createRequire(fileURLToPath(from)).resolve("tsx/package.json"));
  const [loader, source] = [new URL("./dist/esm/api/index.mjs", tsx), new URL(`./${name}.ts`, from)];
  const code = `import("${loader}").then((tsx) => { tsx.register(); return import("${source}"); });`;
  return new Worker(code, { ...options, eval: true, execArgv: [] });
}

/** Start a process with the module `name` (without its ending) beside the module at the address `from`. */
export function startProcess(name: string, from: string, options: Omit<ForkOptions, "execArgv"> = {}): ChildProcess {
  const at = (file: string) => fileURLToPath(new URL(file, from));
  if (!from.endsWith(".ts")) return fork(at(`./${name}.js`), { ...options, execArgv: [] });
  // as above: the process needs the loader that reads TypeScript
  const tsx = pathToFileURL(createRequire(fileURLToPath(from)).resolve("tsx")).href;
  return fork(at(`./${name}.ts`), { ...options, execArgv: ["--import", tsx] });
}

/** An error on its way from a thread or a process: classes do not survive it, so a user's error says that it is one. */
export type Thrown = { message: string; hint: string | undefined; user: boolean; stack: string | undefined };

/** What it answers where its work threw. */
export function toThrown(cause: unknown): Thrown {
  const { message, stack } = cause as Error;
  const user = cause instanceof UserError;
  return { message, hint: user ? cause.hint : undefined, user, stack };
}

/** The error that its work threw. */
export function fromThrown({ message, hint, user, stack }: Thrown): Error {
  if (user) return new UserError(message, hint === undefined ? {} : { hint });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
