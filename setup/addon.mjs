// Builds tfjs-node's addon from the C++ sources of its package, unmodified, with functions of ours beside them (native/tensorflow), by
// node-gyp. It needs N-API 8 alone: one addon serves Node 20, 22 and 24.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, mkdtemp, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { SetupError } from "./errors.mjs";
import { findNodeHeaders, findPython } from "./machine.mjs";
import { root, setupCommand } from "./npm.mjs";
import { say } from "./progress.mjs";

/**
 * Build the addon against `deps` of the package and put it at `target`, where it appears whole or not at all.
 * @param {(addon: string) => Promise<string>} prove loads the new addon before it takes its place
 * @returns what `prove` returned
 */
export async function buildAddon(folder, target, prove) {
  say("setup: building the addon (10 to 60 seconds)");
  // In a folder of its own, so that what is in use stays untouched, and because make cannot deal with spaces in a path.
  const stage = await mkdtemp(join(tmpdir(), "rfdetr-build-"));
  const fresh = join(dirname(target), `tfjs_binding.${randomBytes(4).toString("hex")}.node`);
  try {
    await cp(join(folder, "binding"), join(stage, "binding"), { recursive: true });
    await cp(join(root, "setup", "native", "tensorflow"), stage, { recursive: true });
    await symlink(join(folder, "deps"), join(stage, "deps"));
    await nodeGyp(stage, []);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(join(stage, "build", "Release", "tfjs_binding.node"), fresh);
    const proof = await prove(fresh);
    await rename(fresh, target);
    return proof;
  } finally {
    await rm(fresh, { force: true });
    await rm(stage, { recursive: true, force: true });
  }
}

/** Our own small addons, by their targets in setup/native/binding.gyp, and where they go in the engine's package. */
export const OWN_ADDONS = {
  /** Keeps libtensorflow's greeting off the terminal and answers signals during a step. */
  capture: "lib/napi-v8/rfdetr_capture.node",
  /** Resizes pictures. */
  image: "lib/napi-v8/rfdetr_image.node",
  /** Operations of our own for TensorFlow. */
  kernels: "lib/napi-v8/rfdetr_kernels.node",
  /** TensorFlow's distributed runtime, for trainings of several workers. */
  distributed: "lib/napi-v8/rfdetr_distributed.node",
};

/** Build them and put them into the folder of the engine's package, each of which appears whole or not at all. */
export async function buildOwnAddons(folder) {
  const stage = await mkdtemp(join(tmpdir(), "rfdetr-build-"));
  const fresh = [];
  try {
    await cp(join(root, "setup", "native"), stage, { recursive: true });
    await symlink(join(folder, "deps"), join(stage, "deps"));
    await nodeGyp(stage, []);
    for (const [target, path] of Object.entries(OWN_ADDONS)) {
      const place = join(folder, path);
      fresh.push(`${place}.${randomBytes(4).toString("hex")}`);
      await copyFile(join(stage, "build", "Release", `${target}.node`), fresh.at(-1));
      await rename(fresh.at(-1), place);
    }
  } finally {
    for (const path of fresh) await rm(path, { force: true });
    await rm(stage, { recursive: true, force: true });
  }
}

async function nodeGyp(stage, options) {
  const args = [nodeGypScript(), "rebuild", ...options];
  const headers = process.env.npm_config_nodedir ? undefined : findNodeHeaders();
  if (headers) args.push(`--nodedir=${headers}`);
  const python = findPython()?.path;
  const child = spawn(process.execPath, args, {
    cwd: stage,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...(python && { npm_config_python: python, PYTHON: python }) },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const code = await new Promise((done, failed) => child.once("error", failed).once("close", done));
  if (code === 0) return;
  const tail = output.trim().split("\n").slice(-25).join("\n");
  if (
    /ENOTFOUND|ECONNREFUSED|ETIMEDOUT|getaddrinfo|network|proxy|unable to (get|verify)|status code/i.test(output) &&
    !headers
  ) {
    throw new SetupError(
      `Node's headers are not beside this Node (${process.execPath}), and node-gyp could not download them.`,
      `Use a Node that brings them (nodejs.org's archive, nvm, NodeSource), or name the folder that has include/node: npm_config_nodedir=DIR ${setupCommand}`,
    );
  }
  throw new SetupError(
    `The addon could not be compiled. The end of node-gyp's output:\n${tail}`,
    "Check that the compiler knows C++17 (g++ 9 or later), then run the set-up again.",
  );
}

/** Our own node-gyp, which is pinned; else the one inside npm. */
function nodeGypScript() {
  const require = createRequire(join(root, "package.json"));
  try {
    return require.resolve("node-gyp/bin/node-gyp.js");
  } catch {
    const ofNpm = join(
      dirname(dirname(process.env.npm_execpath ?? "")),
      "node_modules",
      "node-gyp",
      "bin",
      "node-gyp.js",
    );
    if (existsSync(ofNpm)) return ofNpm;
    throw new SetupError("node-gyp is not installed.", "Run: npm install --ignore-scripts");
  }
}
