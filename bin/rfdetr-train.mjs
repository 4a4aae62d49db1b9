#!/usr/bin/env node
// Starts the command line: `setup` with nothing but Node, all else from dist, which a checkout builds when its source is newer.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const module = (name) => import(pathToFileURL(join(root, name)).href);

if (process.argv[2] === "setup" && !process.argv.includes("--help")) {
  const { runScript, setupMain } = await module("setup/main.mjs");
  await runScript(() => setupMain(process.argv.slice(3)));
} else {
  if (existsSync(join(root, "src"))) {
    const { runScript } = await module("setup/main.mjs");
    const { ensureBuilt } = await module("scripts/build.mjs");
    await runScript(ensureBuilt);
  }
  // The launcher's own errors set the exit code; then there is nothing to start.
  if (!process.exitCode) await import(pathToFileURL(join(root, "dist", "cli", "main.js")).href);
}
