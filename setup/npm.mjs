// The npm dependencies: installed where they are missing or not those of package-lock.json.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError } from "./errors.mjs";
import { which } from "./machine.mjs";
import { say } from "./progress.mjs";

/** The folder of this package: a checkout, or `node_modules/rfdetr-train` of somebody else's project. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Packages that are optional only so that their own install scripts may fail (they download, and npm ci does not run
 * them): in a checkout they have to be there.
 */
const NEEDED = ["node_modules/@tensorflow/tfjs-node-gpu", "node_modules/onnxruntime-node"];

/** Whether this is a checkout; an installed package has no lock file of its own. */
export const isCheckout = existsSync(join(root, "package-lock.json")) && basename(dirname(root)) !== "node_modules";

/** How the user starts the set-up. */
export const setupCommand = isCheckout ? "npm run setup" : "npx rfdetr-train setup";

/**
 * Why `npm ci` is needed in a checkout, or undefined. npm writes what it has installed to node_modules/.package-lock.json,
 * at the very end: an install that was cut off, or one of an older lock file, is seen by comparing the two.
 */
export function staleness(folder) {
  const read = (...path) => {
    try {
      return JSON.parse(readFileSync(join(folder, ...path), "utf8")).packages;
    } catch {
      return undefined;
    }
  };
  const wanted = read("package-lock.json");
  const installed = read("node_modules", ".package-lock.json");
  if (!wanted) return undefined;
  if (!installed) return "node_modules is missing or incomplete";
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || entry.link) continue;
    const present = installed[path];
    // Builds for other platforms, and what those need, are optional and absent here.
    if (!present && entry.optional && !NEEDED.includes(path)) continue;
    const other = (key) => entry[key] !== undefined && present?.[key] !== entry[key];
    if (other("version") || other("integrity")) return `${path} is not the one of package-lock.json`;
    if (!existsSync(join(folder, path, "package.json"))) return `${path} is missing`;
  }
  return undefined;
}

/** Install the dependencies where needed. Install scripts never run: the engine is built by this set-up. */
export async function installDependencies() {
  if (!isCheckout) return;
  const why = staleness(root);
  if (!why) return;
  say(`setup: npm ci (${why})`);
  await npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], root);
}

/** Run npm. Under `npm run` the npm that runs us is used. */
export async function npm(args, cwd) {
  const script = process.env.npm_execpath;
  const viaScript = script?.endsWith("npm-cli.js") && existsSync(script);
  const program = viaScript ? process.execPath : which("npm");
  if (!program)
    throw new SetupError("npm is not on the PATH.", "Install npm: it comes with Node (https://nodejs.org).");
  const child = spawn(program, viaScript ? [script, ...args] : args, {
    cwd,
    // Standard output is the commands' own; npm's goes where the set-up's goes.
    stdio: ["ignore", process.stderr, process.stderr],
    shell: process.platform === "win32" && !viaScript,
  });
  const code = await new Promise((done, failed) => child.once("error", failed).once("exit", done));
  if (code !== 0) {
    throw new SetupError(
      `npm ${args[0]} failed with exit code ${code} (its message is above).`,
      `Check the connection, proxy and registry settings, then run ${setupCommand} again.`,
    );
  }
}
