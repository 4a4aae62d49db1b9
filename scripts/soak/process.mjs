// A command line as a process: what it printed, how it ended.

import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Start words. `done` resolves when the process and all that hold its output or its file 3 have ended: code (undefined where
 * nobody could see it), signal and what was printed. `exitFile`: where somebody else leaves the exit code, since the process
 * that is started here is not the one that counts. `outputFile`: where the output goes instead of to us.
 */
export function start(
  [file, ...words],
  { cwd = root, env = {}, exitFile, outputFile, files = ["ignore", "pipe", "pipe"] } = {},
) {
  const child = spawn(file, words, {
    cwd,
    stdio: files,
    env: { ...process.env, ...env, ...(exitFile && { SOAK_EXIT_FILE: exitFile }) },
  });
  let [piped, filed] = ["", ""];
  const program = { child, output: "", onOutput: () => {} };
  const heard = () => {
    program.output = piped + filed;
    program.onOutput();
  };
  for (const stream of child.stdio.slice(1))
    stream?.on("data", (chunk) => {
      piped += chunk;
      heard();
    });
  const readFiled = async () => {
    filed = await readFile(outputFile, "utf8").catch(() => "");
    heard();
  };
  const reading = outputFile && setInterval(readFiled, 50);
  child.stdin?.on("error", () => {}); // a terminal that is gone
  program.done = new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => done({ code, signal }));
  }).then(async (ended) => {
    clearInterval(reading);
    if (outputFile) await readFiled();
    if (!exitFile) return { ...ended, output: program.output };
    const text = await readFile(exitFile, "utf8").catch(() => "");
    await rm(exitFile, { force: true });
    return { code: text === "" ? undefined : Number(text), signal: null, output: program.output };
  });
  return program;
}

/** Waits until the program has printed this, or has ended. */
export function printed(program, pattern) {
  return new Promise((done) => {
    program.onOutput = () => pattern.test(program.output) && done();
    program.onOutput();
    void program.done.then(done, done);
  });
}
