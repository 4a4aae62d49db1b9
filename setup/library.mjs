// libtensorflow in the user's cache, out of TensorFlow's own Python wheel: downloaded, checked and unpacked, there whole or not at all.

import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { downloadWheel, requirePip } from "./download.mjs";
import { SetupError } from "./errors.mjs";
import { withLock } from "./lock.mjs";
import { cacheDir, freeBytes } from "./machine.mjs";
import { setupCommand } from "./npm.mjs";
import { bar, megabytes, say } from "./progress.mjs";
import { extractWheel, isDamage, openWheel, requirements } from "./wheel.mjs";

/** The release that the engine is built from. */
export const TENSORFLOW = "2.21.0";
export const LIBRARIES = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"];
/** Peak need while it is downloaded and unpacked. */
const DISK = { cpu: 1.5e9, gpu: 9e9 };

/** The library's folder in the cache; downloaded, checked and unpacked where it is not there. */
export async function libraryInCache(kind, force = false) {
  const name = `${kind === "gpu" ? "tensorflow" : "tensorflow-cpu"}-${TENSORFLOW}`;
  const base = join(cacheDir(), "engine");
  const place = join(base, name);
  const found = () => ({ folder: join(place, "tensorflow"), source: place });
  if (!force && (await isComplete(place, false))) return found();
  try {
    await mkdir(base, { recursive: true });
  } catch (error) {
    throw new SetupError(
      `The cache folder ${base} cannot be made: ${error.message}`,
      "Set RFDETR_CACHE to a folder that you may write to.",
    );
  }
  const work = async () => {
    if (await isComplete(place, force)) return found();
    requirePip();
    const free = freeBytes(base);
    if (free < DISK[kind]) {
      throw new SetupError(
        `The engine needs ${megabytes(DISK[kind])} of disk space while it is unpacked; ${base} has ${megabytes(free)} free.`,
        "Free some space, or set RFDETR_CACHE to a folder on another disk.",
      );
    }
    await fetchLibrary(kind, place, join(base, `${name}.download`));
    return found();
  };
  return withLock(`${place}.lock`, work, (owner) =>
    say(`setup: waiting for another set-up${owner ? ` (process ${owner.pid} on ${owner.host})` : ""} to fetch ${name}`),
  );
}

/** Whether the cache holds every file of the manifest: by size, or (`thorough`) by SHA-256. */
async function isComplete(place, thorough) {
  let manifest;
  try {
    manifest = JSON.parse(await readFile(join(place, "manifest.json"), "utf8"));
  } catch {
    return false;
  }
  for (const [name, { size, sha256 }] of Object.entries(manifest.files)) {
    const path = join(place, name);
    if (!existsSync(path) || statSync(path).size !== size) return false;
    if (thorough && (await sha256Of(path)) !== sha256) return false;
  }
  return true;
}

async function sha256Of(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("base64url");
}

/** All wheels are unpacked beside the place, one after the other, and the whole is then renamed: a cut-off fetch goes on there. */
async function fetchLibrary(kind, place, downloads) {
  const partial = `${place}.partial`;
  await mkdir(partial, { recursive: true });
  for (const name of await readdir(partial, { recursive: true })) {
    if (name.endsWith(".tmp")) await rm(join(partial, name), { force: true }); // of a process that was killed
  }
  const main = `${kind === "gpu" ? "tensorflow" : "tensorflow-cpu"}==${TENSORFLOW}`;
  const { files, needs } = await unpack(main, partial, downloads, isEngineFile);
  if (kind === "gpu") {
    for (const [i, need] of needs.entries()) {
      say(`setup: CUDA library ${i + 1} of ${needs.length}`);
      Object.assign(files, (await unpack(need, partial, downloads, isCudaFile)).files);
    }
  }
  await writeFile(join(partial, "manifest.json"), JSON.stringify({ tensorflow: TENSORFLOW, kind, files }, null, 1));
  await rm(place, { recursive: true, force: true });
  await rename(partial, place);
  await rm(downloads, { recursive: true, force: true });
}

const isEngineFile = (name) =>
  LIBRARIES.some((library) => name === `tensorflow/${library}`) ||
  /^tensorflow\/include\/(tensorflow\/c\/|tensorflow\/core\/platform\/ctstring|tsl\/platform\/ctstring|xla\/tsl\/c\/)/.test(
    name,
  ) ||
  /^tensorflow\/(THIRD_PARTY_NOTICES\.txt|include\/LICENSE)$/.test(name);

/** Libraries and what XLA runs (ptxas, libdevice); no headers, no static libraries. */
const isCudaFile = (name) => name.startsWith("nvidia/") && !/\/include\/|\.(a|h|hpp|py)$/.test(name);

/** Bring one wheel and unpack it; one that turns out damaged is fetched once more. Its note says that it is done. */
async function unpack(requirement, partial, downloads, select) {
  const note = join(partial, "done", `${/^[A-Za-z0-9._-]+/.exec(requirement)[0]}.json`);
  if (existsSync(note)) return JSON.parse(await readFile(note, "utf8"));
  for (let attempt = 1; ; attempt++) {
    const path = await downloadWheel(requirement, downloads);
    const progress = bar(`setup: unpacking ${requirement.split(/[<>=]/)[0]}`);
    try {
      const wheel = await openWheel(path);
      const files = await extractWheel(wheel, select, partial, progress.update);
      const result = { files, needs: requirements(wheel.metadata, "and-cuda") };
      await mkdir(dirname(note), { recursive: true });
      await writeFile(`${note}.tmp`, JSON.stringify(result));
      await rename(`${note}.tmp`, note);
      await rm(dirname(path), { recursive: true, force: true }); // a quarter of the disk space it took
      return result;
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
          `${requirement} was downloaded twice, and both times the file is damaged: ${error.message}`,
          `Check pip's index or mirror, then run ${setupCommand} again.`,
        );
      }
      say(`setup: ${error.message}; fetching it again`);
    } finally {
      progress.end();
    }
  }
}
