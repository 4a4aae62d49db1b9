#!/usr/bin/env node
// Starts the command line: `setup` with nothing but Node, all else from dist, which a checkout builds when its source is newer.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const module = (name) => import(pathToFileURL(join(root, name)).href);

async function start() {
  if (process.argv[2] === "setup" && !process.argv.includes("--help")) {
    const { runScript, setupMain } = await module("setup/main.mjs");
    return runScript(() => setupMain(process.argv.slice(3)));
  }
  if (existsSync(join(root, "src"))) {
    const { runScript } = await module("setup/main.mjs");
    const { ensureBuilt } = await module("scripts/build.mjs");
    await runScript(ensureBuilt);
  }
  // The launcher's own errors set the exit code; then there is nothing to start.
  if (!process.exitCode) await module("dist/cli/main.js");
}

/** Why modules cannot be loaded, where it is no bug: too few files may be open, or the installation is not whole. */
const HINTS = {
  EMFILE: "Raise the limit of open files: ulimit -n 4096",
  ENFILE: "Close other programs, or ask who runs this machine.",
  ERR_MODULE_NOT_FOUND: "Install the package again.",
};

await start().catch((error) => {
  if (!Object.hasOwn(HINTS, error.code ?? "")) throw error;
  console.error(`rfdetr-train cannot be loaded: ${error.message}\nHint: ${HINTS[error.code]}`);
  process.exitCode = 2;
});
