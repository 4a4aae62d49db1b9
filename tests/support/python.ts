// Checks of what is written against the programs that read it. They need a Python with these packages, which the
// environment variable RFDETR_TRAIN_PYTHON names; where it is absent the test skips and says so.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { TestContext } from "vitest";

const run = promisify(execFile);

/** The Python to call; skips the test, with the reason, where there is none or it lacks one of the modules. */
export async function requirePython({ skip }: Pick<TestContext, "skip">, modules: string[]): Promise<string> {
  const python = process.env.RFDETR_TRAIN_PYTHON;
  if (!python) skip(`RFDETR_TRAIN_PYTHON does not name a Python with ${modules.join(", ")}`);
  const find = `import importlib.util, sys; sys.exit(any(not importlib.util.find_spec(m) for m in sys.argv[1:]))`;
  await run(python!, ["-c", find, ...modules]).catch(() => skip(`${python} lacks one of ${modules.join(", ")}`));
  return python!;
}

/** What a Python script prints as JSON. */
export async function pythonJson<T>(
  python: string,
  script: string,
  { args = [], env = {} }: { args?: string[]; env?: Record<string, string> } = {},
): Promise<T> {
  const options = { env: { ...process.env, ...env }, maxBuffer: 2 ** 28, timeout: 110_000 };
  const { stdout } = await run(python, [script, ...args], options);
  return JSON.parse(stdout) as T;
}
