// libtensorflow in the user's cache, out of TensorFlow's own Python wheel: downloaded, checked and unpacked, there whole or not at all.

import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { downloadWheel, requirePip } from "./download.mjs";
import { SetupError } from "./errors.mjs";
import { withLock } from "./lock.mjs";
import { cacheDir, freeBytes } from "./machine.mjs";
import { setupCommand } from "./npm.mjs";
import { contentsSum, isWanted, PINS, TENSORFLOW } from "./pins.mjs";
import { bar, megabytes, say } from "./progress.mjs";
import { extractWheel, isDamage, openWheel, WheelError } from "./wheel.mjs";

/** Peak need while it is downloaded and unpacked. */
const DISK = { cpu: 1.5e9, gpu: 9e9 };

/**
 * The library's folder in the cache; downloaded, checked and unpacked where it is not there. What is there is used only where its
 * files are, to the byte, those that `pins` names, and nobody else can write to them.
 * @param {"cpu" | "gpu"} kind
 * @param {{ pins?: typeof PINS }} [options] other pins, for a test
 */
export async function libraryInCache(kind, { pins = PINS } = {}) {
  const name = `${kind === "gpu" ? "tensorflow" : "tensorflow-cpu"}-${TENSORFLOW}`;
  const base = join(cacheDir(), "engine");
  const place = join(base, name);
  const { contents, wheels } = pins[kind];
  const found = () => ({ folder: join(place, "tensorflow"), source: place });
  await requireOwn(place);
  if (await isComplete(place, contents)) return found();
  try {
    await mkdir(base, { recursive: true });
  } catch (error) {
    throw new SetupError(
      `The cache folder ${base} cannot be made: ${error.message}`,
      "Set RFDETR_CACHE to a folder that you may write to.",
    );
  }
  const work = async () => {
    if (await isComplete(place, contents)) return found();
    requirePip();
    const free = freeBytes(base);
    if (free < DISK[kind]) {
      throw new SetupError(
        `The engine needs ${megabytes(DISK[kind])} of disk space while it is unpacked; ${base} has ${megabytes(free)} free.`,
        "Free some space, or set RFDETR_CACHE to a folder on another disk.",
      );
    }
    await fetchLibrary(kind, wheels, place, join(base, `${name}.download`));
    if (await isComplete(place, contents)) return found();
    // What a part of an earlier download brought along is not what it says.
    await rm(place, { recursive: true, force: true });
    await fetchLibrary(kind, wheels, place, join(base, `${name}.download`));
    if (await isComplete(place, contents)) return found();
    await rm(place, { recursive: true, force: true });
    throw new SetupError(
      `The files of ${name} are not those that this program was made with.`,
      `Check pip's index or mirror, then run ${setupCommand} again.`,
    );
  };
  return withLock(`${place}.lock`, work, (owner) =>
    say(`setup: waiting for another set-up${owner ? ` (process ${owner.pid} on ${owner.host})` : ""} to fetch ${name}`),
  );
}

/** Whoever may write to the cache decides what code runs here: that must be nobody but this user and root. */
export async function requireOwn(place) {
  for (const folder of [dirname(place), place]) await requireOwnFolder(folder);
}

async function requireOwnFolder(folder) {
  const facts = await lstat(folder).catch(() => undefined);
  const me = process.getuid?.();
  if (!facts || me === undefined) return;
  const why =
    facts.uid !== me && facts.uid !== 0
      ? `belongs to another user (number ${facts.uid})`
      : facts.isDirectory() && facts.mode & 0o002
        ? "may be written to by every user"
        : undefined;
  if (!why) return;
  throw new SetupError(
    `The engine in ${folder} is not used: the folder ${why}.`,
    `Set RFDETR_CACHE to a folder of your own. If you trust it: RFDETR_LIBTENSORFLOW=DIR ${setupCommand}`,
  );
}

/** Whether the cache holds every file of the manifest, by SHA-256, and these are all the files that are pinned. */
async function isComplete(place, contents) {
  try {
    const { files } = JSON.parse(await readFile(join(place, "manifest.json"), "utf8"));
    if (contentsSum(files) !== contents) return false;
    for (const [name, { size, sha256 }] of Object.entries(files)) {
      const path = join(place, name);
      if (statSync(path).size !== size || (await sha256Of(path)) !== sha256) return false;
    }
    return true;
  } catch {
    return false; // no manifest, another one than we write, or a file that is missing
  }
}

async function sha256Of(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("base64url");
}

/** All wheels are unpacked beside the place, one after the other, and the whole is then renamed: a cut-off fetch goes on there. */
async function fetchLibrary(kind, wheels, place, downloads) {
  const partial = `${place}.partial`;
  await mkdir(partial, { recursive: true });
  for (const name of await readdir(partial, { recursive: true })) {
    if (name.endsWith(".tmp")) await rm(join(partial, name), { force: true }); // of a process that was killed
  }
  const files = {};
  for (const [i, pin] of wheels.entries()) {
    if (i > 0) say(`setup: CUDA library ${i} of ${wheels.length - 1}`);
    Object.assign(files, await unpack(pin, partial, downloads));
  }
  await writeFile(join(partial, "manifest.json"), JSON.stringify({ tensorflow: TENSORFLOW, kind, files }, null, 1));
  await rm(place, { recursive: true, force: true });
  await rename(partial, place);
  await rm(downloads, { recursive: true, force: true });
}

/** Bring one wheel and unpack it; one that turns out damaged is fetched once more. Its note says that it is done. */
async function unpack(pin, partial, downloads) {
  const note = join(partial, "done", `${pin.name}.json`);
  if (existsSync(note)) return JSON.parse(await readFile(note, "utf8")).files;
  for (let attempt = 1; ; attempt++) {
    const path = await downloadWheel(pin, downloads);
    const progress = bar(`setup: unpacking ${pin.name}`);
    try {
      await requirePinned(path, pin);
      const wheel = await openWheel(path);
      const files = await extractWheel(wheel, isWanted, partial, progress.update);
      await mkdir(dirname(note), { recursive: true });
      await writeFile(`${note}.tmp`, JSON.stringify({ files }));
      await rename(`${note}.tmp`, note);
      await rm(dirname(path), { recursive: true, force: true }); // a quarter of the disk space it took
      return files;
    } catch (error) {
      if (error.code === "ENOSPC" || error.code === "EDQUOT") {
        throw new SetupError(
          `The disk is full: ${error.message}`,
          "Free some space, or set RFDETR_CACHE to a folder on another disk.",
        );
      }
      if (!isDamage(error)) throw error;
      await rm(dirname(path), { recursive: true, force: true });
      if (attempt === 2) {
        throw new SetupError(
          `${pin.name} ${pin.version} was downloaded twice, and both times the file is damaged: ${error.message}`,
          `Check pip's index or mirror, then run ${setupCommand} again.`,
        );
      }
      say(`setup: ${error.message}; fetching it again`);
    } finally {
      progress.end();
    }
  }
}

/** pip has looked at it, but it may also have lain in the cache. */
async function requirePinned(path, { bytes, sha256 }) {
  const wrong = `${path} is not the wheel of ${bytes} bytes that this program was made with`;
  if (statSync(path).size !== bytes) throw new WheelError(`${wrong}: it has ${statSync(path).size}`);
  const found = Buffer.from(await sha256Of(path), "base64url").toString("hex");
  if (found !== sha256) throw new WheelError(`${wrong}: its SHA-256 is ${found}`);
}
