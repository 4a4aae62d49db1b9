// Brings pinned Python wheels by pip, whatever index or mirror pip is set up for. No Python is needed after that.

import { spawn } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
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
 * Download a wheel into a folder; one that is already there is used. pip takes only the file of the pinned SHA-256, wherever it
 * looks for it; what is there has to be checked all the same.
 * @param {{ name: string, version: string, sha256: string, bytes: number }} pin
 * @returns {Promise<string>} its path
 */
export async function downloadWheel(pin, folder) {
  const { name, version, sha256, bytes } = pin;
  const requirement = `${name}==${version}`;
  const home = join(folder, name);
  const present = await readdir(home).catch(() => []);
  const done = present.find((file) => file.endsWith(".whl"));
  if (done) return join(home, done);
  const python = requirePip();
  let problem = "";
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const partial = `${home}.partial`;
    const temporary = join(partial, "tmp");
    await rm(partial, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await writeFile(join(temporary, "requirements.txt"), `${requirement} --hash=sha256:${sha256}\n`);
    say(`setup: pip download ${requirement}`);
    const wanted = ["--require-hashes", "--dest", partial, "-r", join(temporary, "requirements.txt")];
    const { code, output } = await runPip(python, [...downloadArguments(name), ...wanted], temporary, {
      onTick: progressOf(name, partial, bytes),
    });
    const file = (await readdir(partial)).find((entry) => entry.endsWith(".whl"));
    if (code === 0 && file) {
      await rm(temporary, { recursive: true, force: true });
      await rm(home, { recursive: true, force: true });
      await rename(partial, home);
      return join(home, file);
    }
    await rm(partial, { recursive: true, force: true });
    problem = output;
    if (FINAL.test(output)) break;
    if (attempt < ATTEMPTS) {
      say(`setup: the download broke off; again in ${2 * attempt} s (try ${attempt + 1} of ${ATTEMPTS})`);
      await sleep(2000 * attempt);
    }
  }
  throw pipError(requirement, python, problem);
}

/** What pip says that another attempt will not change. */
const FINAL = /No matching distribution|No space left|unrecognized arguments|no such option|DO NOT MATCH THE HASHES/i;

function pipError(requirement, python, output) {
  const lines = output.trim().split(/\r?\n/);
  const reason = lines.filter((line) => /error/i.test(line)).at(-1) ?? lines.at(-1) ?? "";
  const message = `pip could not download ${requirement}: ${reason.replace(/^ERROR:\s*/, "").trim()}`;
  if (/No space left/i.test(output))
    return new SetupError(message, "Free some disk space, or set RFDETR_CACHE to a folder on another disk.");
  if (/DO NOT MATCH THE HASHES/i.test(output)) {
    return new SetupError(
      `pip was given another file for ${requirement} than the one that this program was made with; it was not used.`,
      `Check where pip looks for packages (${python.path} -m pip config list, PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS), then run ${setupCommand} again.`,
    );
  }
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

/** Arguments of `pip download` for one wheel of Linux x64, without what it needs. */
export function downloadArguments(requirement) {
  const platforms = /^tensorflow/.test(requirement) ? PLATFORMS.slice(0, 1) : PLATFORMS;
  const args = ["-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary", ":all:"];
  return [...args, "--python-version", PYTHON, ...platforms.flatMap((platform) => ["--platform", platform])];
}

/** Variables of pip that say where packages are and how to get there. All others could change what is downloaded, and stay out. */
const PLACES =
  /^PIP_(INDEX_URL|EXTRA_INDEX_URL|NO_INDEX|FIND_LINKS|CONFIG_FILE|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|TIMEOUT|DEFAULT_TIMEOUT|RETRIES|RESUME_RETRIES|KEYRING_PROVIDER)$/;

/** The environment that pip gets. */
export function pipEnvironment(env, temporary) {
  const kept = Object.entries(env).filter(([name]) => !/^PIP_/i.test(name) || PLACES.test(name));
  return {
    PIP_RESUME_RETRIES: "5", // pip 25.1 and later; others ignore it
    ...Object.fromEntries(kept),
    TMPDIR: temporary,
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_INPUT: "1",
    PYTHONUNBUFFERED: "1",
  };
}

/** Run pip; what it wrote, and its exit code. `onTick` is called now and then, and once at the end with `true`. */
export async function runPip(python, args, temporary, { onTick = () => {} } = {}) {
  const env = pipEnvironment(process.env, temporary);
  const child = spawn(python.path, args, { stdio: ["ignore", "pipe", "pipe"], env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const timer = setInterval(() => onTick(false), 250);
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
    onTick(true);
  }
}

/** pip writes to its temporary folder while it downloads: its growth is the progress, with any pip. */
function progressOf(name, folder, bytes) {
  const progress = bar(`setup: ${name}`);
  return (ended) => (ended ? progress.end() : progress.update(largestFile(folder), bytes));
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
