// Everything that a run needs: npm dependencies and the engine. Plain Node, so that it works on a clean clone.
// Usage: node setup/main.mjs [--gpu | --cpu] [--force] [--quiet]

import { realpathSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setUpEngine } from "./engine.mjs";
import { SetupError } from "./errors.mjs";
import { withLock } from "./lock.mjs";
import { installDependencies, root } from "./npm.mjs";
import { say } from "./progress.mjs";

/**
 * Install what is missing; a second call finds everything in place and takes a fraction of a second.
 * @param {{ flavour?: "cpu" | "gpu", force?: boolean }} [options]
 */
export async function setUp(options = {}) {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new SetupError(
      `Node ${process.versions.node} is too old: 20.19 or later is needed.`,
      "Install Node 22: https://nodejs.org",
    );
  }
  const work = async () => {
    await installDependencies();
    return setUpEngine(options);
  };
  return withLock(join(root, ".cache", "setup.lock"), work, (owner) =>
    say(`setup: waiting for another set-up of this folder${owner ? ` (process ${owner.pid})` : ""}`),
  );
}

/** Run a script's main function; what the user can fix ends in one message and exit code 2. */
export async function runScript(main) {
  try {
    const code = await main();
    if (code) process.exitCode = code; // a success says nothing: what runs next may tell an unset code from 0
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(`\nerror: ${error.message}`);
    if (error.hint) say(`  ${error.hint}`);
    process.exitCode = 2;
  }
}

/** The command: `setup [--gpu | --cpu] [--force] [--quiet]`. */
export async function setupMain(args) {
  const known = ["--gpu", "--cpu", "--force", "--quiet"];
  const unknown = args.find((arg) => !known.includes(arg));
  if (unknown) throw new SetupError(`Unknown option ${unknown}.`, `Options: ${known.join(", ")}`);
  if (args.includes("--gpu") && args.includes("--cpu"))
    throw new SetupError("--gpu and --cpu exclude each other.", "Give one.");
  const flavour = args.includes("--gpu") ? "gpu" : args.includes("--cpu") ? "cpu" : undefined;
  const stamp = await setUp({ flavour, force: args.includes("--force") });
  if (!args.includes("--quiet")) {
    say(`setup: ready (libtensorflow ${stamp.tensorflow}, ${describe[stamp.flavour]}, ${stamp.source})`);
  }
}

const describe = {
  cpu: "for the CPU",
  gpu: "with CUDA",
  given: "as given",
  prebuilt: "prebuilt by tfjs-node, untested",
};

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await runScript(() => setupMain(process.argv.slice(2)));
}
