// Threads that run a module of this program, from the sources as well as from the build.

import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";

/** Start a thread with the module `name` (without its ending) beside the module at the address `from`. */
export function startThread(name: string, from: string, options: WorkerOptions = {}): Worker {
  if (!from.endsWith(".ts")) return new Worker(new URL(`./${name}.js`, from), options);
  // From the sources (development, tests): a thread has to ask for the loader that reads TypeScript by itself.
  const tsx = pathToFileURL(createRequire(fileURLToPath(from)).resolve("tsx/package.json"));
  const [loader, source] = [new URL("./dist/esm/api/index.mjs", tsx), new URL(`./${name}.ts`, from)];
  const code = `import("${loader}").then((tsx) => { tsx.register(); return import("${source}"); });`;
  return new Worker(code, { ...options, eval: true, execArgv: [] });
}
