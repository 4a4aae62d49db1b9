// Errors that are no bugs though nothing below foresaw them: of the system, of memory, of an incomplete installation.

import { UserError } from "../util/errors.ts";
import { fileError } from "../util/files.ts";

/** System calls that change something on a disk; all others count as reading. */
const WRITING =
  /^(write|fsync|fdatasync|ftruncate|truncate|mkdir|rename|unlink|rmdir|rm|symlink|link|copyfile|cp|utime|chmod)/;

/**
 * What a person can do about an error that comes from outside this program, by itself or in its causes; undefined for a bug.
 * Errors from threads have lost their code: their message still has it.
 */
export function knownTrouble(error: unknown): UserError | undefined {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof UserError) return one;
    const known = ofSystem(one) ?? ofMemory(one) ?? ofInstallation(one) ?? ofPath(one);
    if (known) return known;
  }
  return undefined;
}

type SystemError = NodeJS.ErrnoException & { dest?: string };

function ofSystem(error: SystemError): UserError | undefined {
  // "ENOSPC: no space left on device, write" and "ENOENT: no such file or directory, open '/x'"
  const [, code, syscall, path] = /^([A-Z][A-Z0-9]+): .*?, (\w+)(?: '([^']*)')?/.exec(error.message) ?? [];
  const cause = { ...error, code: error.code ?? code, cause: error };
  const call = error.syscall ?? syscall;
  if (cause.code === undefined || call === undefined) return undefined;
  const at = error.dest ?? error.path ?? path ?? "a file";
  const known = fileError(at, WRITING.test(call) ? "write" : "read", cause);
  return known instanceof UserError ? known : undefined;
}

const MEMORY_HINT =
  "Use less: a smaller data.batch_size with more train.grad_accum_steps, train.gradient_checkpointing, a smaller model.resolution or fewer data.workers. Or close other programs.";

function ofMemory(error: SystemError): UserError | undefined {
  const { message, code } = error;
  const spent =
    code === "ERR_WORKER_OUT_OF_MEMORY" ||
    /^Array buffer allocation failed|^Invalid typed array length: \d{9}|OOM when allocating|^ResourceExhausted|std::bad_alloc|[Cc]annot allocate memory/.test(
      message,
    );
  if (!spent) return undefined;
  const [what] = message.split("\n");
  return new UserError(`There is not enough memory: ${what!.slice(0, 200)}`, { hint: MEMORY_HINT, cause: error });
}

function ofInstallation(error: SystemError): UserError | undefined {
  const [first] = error.message.split("\n");
  const lost =
    ((error.code === "MODULE_NOT_FOUND" || error.code === "ERR_MODULE_NOT_FOUND") &&
      /node_modules|package/.test(error.message)) ||
    /^Could not load the "sharp" module/.test(error.message) ||
    error.code === "ERR_DLOPEN_FAILED";
  if (!lost) return undefined;
  return new UserError(`The installation is incomplete, or for another system: ${first}`, {
    hint: "Install again in the folder of package.json: npm install --ignore-scripts (in a clone: npm ci --ignore-scripts), then npx rfdetr-train setup",
    cause: error,
  });
}

function ofPath(error: SystemError): UserError | undefined {
  if (error.code !== "ERR_INVALID_ARG_VALUE" || !/null bytes/.test(error.message)) return undefined;
  return new UserError("A path has a null byte in it, which no file can have.", {
    hint: "Check the paths in the recipe, its data set and the command.",
    cause: error,
  });
}
