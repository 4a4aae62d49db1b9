// Brings Python wheels by pip, whatever index or mirror pip is set up for. No Python is needed after that.

import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SetupError } from "./errors.mjs";
import { findPython, installCommand } from "./machine.mjs";
import { setupCommand } from "./npm.mjs";
import { bar, say } from "./progress.mjs";

const ATTEMPTS = 3;
const PYTHON = "3.11"; // one of those that TensorFlow's wheels are made for; the library inside is the same in all
const PLATFORMS = ["manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"];

/** The Python whose pip downloads. Throws the message for what is missing. */
export function requirePip() {
  const python = findPython();
  if (!python) {
    throw new SetupError(
      "python3 is not on the PATH; its pip is what downloads libtensorflow (nothing else uses Python).",
      `Run: ${installCommand(["python"])}   (or set PYTHON=/path/to/python3)`,
    );
  }
  if (!python.pip) {
    throw new SetupError(
      `${python.path} has no pip, which is what downloads libtensorflow.`,
      `Run: ${installCommand(["pip"])}   (or: ${python.path} -m ensurepip --user)`,
    );
  }
  return python;
}

/**
 * Download the wheel of one requirement into a folder; one that is already there is used.
 * @param {string} requirement e.g. "tensorflow-cpu==2.21.0"
 * @returns {Promise<string>} its path
 */
export async function downloadWheel(requirement, folder) {
  const name = /^[A-Za-z0-9._-]+/.exec(requirement)[0];
  const home = join(folder, name);
  const present = await readdir(home).catch(() => []);
  const done = present.find((file) => file.endsWith(".whl"));
  if (done) return join(home, done);
  const python = requirePip();
  let problem = "";
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const partial = `${home}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(join(partial, "tmp"), { recursive: true });
    const { code, output } = await pip(python, requirement, name, partial);
    const file = (await readdir(partial)).find((entry) => entry.endsWith(".whl"));
    if (code === 0 && file) {
      await rm(join(partial, "tmp"), { recursive: true, force: true });
      await rm(home, { recursive: true, force: true });
      await rename(partial, home);
      return join(home, file);
    }
    await rm(partial, { recursive: true, force: true });
    problem = output;
    if (/No matching distribution|No space left|unrecognized arguments|no such option/i.test(output)) break;
    if (attempt < ATTEMPTS) {
      say(`setup: the download broke off; again in ${2 * attempt} s (try ${attempt + 1} of ${ATTEMPTS})`);
      await sleep(2000 * attempt);
    }
  }
  throw pipError(requirement, python, problem);
}

function pipError(requirement, python, output) {
  const lines = output.trim().split(/\r?\n/);
  const reason = lines.filter((line) => /error/i.test(line)).at(-1) ?? lines.at(-1) ?? "";
  const message = `pip could not download ${requirement}: ${reason.replace(/^ERROR:\s*/, "").trim()}`;
  if (/No space left/i.test(output))
    return new SetupError(message, "Free some disk space, or set RFDETR_CACHE to a folder on another disk.");
  if (/No matching distribution/i.test(output)) {
    return new SetupError(
      message,
      `Check that pip's index has it (${python.path} -m pip config list), upgrade pip (${python.path} -m pip install --user --upgrade pip), or give a library that is already there: RFDETR_LIBTENSORFLOW=DIR ${setupCommand}`,
    );
  }
  return new SetupError(
    message,
    `Check the connection and pip's index and proxy (${python.path} -m pip config list), then run ${setupCommand} again; what is there is kept. Or give a library that is already there: RFDETR_LIBTENSORFLOW=DIR ${setupCommand}`,
  );
}

/** Run `pip download`. pip writes to its temporary folder while it downloads: its growth is the progress, with any pip. */
async function pip(python, requirement, name, folder) {
  const platforms = /^tensorflow/.test(requirement) ? PLATFORMS.slice(0, 1) : PLATFORMS;
  const args = ["-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary", ":all:"];
  args.push("--python-version", PYTHON, ...platforms.flatMap((platform) => ["--platform", platform]));
  args.push("--dest", folder, requirement);
  const temporary = join(folder, "tmp");
  mkdirSync(temporary, { recursive: true });
  say(`setup: pip download ${requirement}`);
  const child = spawn(python.path, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      TMPDIR: temporary,
      PIP_DISABLE_PIP_VERSION_CHECK: "1",
      PIP_RESUME_RETRIES: process.env.PIP_RESUME_RETRIES ?? "5", // pip 25.1 and later; others ignore it
      PYTHONUNBUFFERED: "1",
    },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const progress = bar(`setup: ${name}`);
  const timer = setInterval(() => progress.update(largestFile(folder), announcedSize(output)), 250);
  try {
    const code = await new Promise((done) => {
      child.once("error", (error) => {
        output += `ERROR: ${error.message}`;
        done(1);
      });
      child.once("close", done);
    });
    return { code, output };
  } finally {
    clearInterval(timer);
    progress.end();
  }
}

/** pip's line `Downloading NAME.whl (273.8 MB)`, in bytes; 0 until it is there. */
function announcedSize(output) {
  const match = [...output.matchAll(/Downloading \S+\.whl\S* \(([\d.]+) ?([kMG])B\)/g)].at(-1);
  return match ? Number(match[1]) * { k: 1e3, M: 1e6, G: 1e9 }[match[2]] : 0;
}

function largestFile(folder) {
  let largest = 0;
  try {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) largest = Math.max(largest, statSync(join(entry.parentPath ?? entry.path, entry.name)).size);
    }
  } catch {
    // pip removes its temporary files under our eyes
  }
  return largest;
}
