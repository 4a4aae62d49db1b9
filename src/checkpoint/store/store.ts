// Checkpoints of a run on disk: each a folder that appears whole or not at all, with a manifest of SHA-256 sums. Speaks
// host tensors only.

import { randomBytes } from "node:crypto";
import { mkdir, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UserError } from "../../util/errors.ts";
import { fileError, removeOurs, sha256File, syncDirectory, writeFileAtomic } from "../../util/files.ts";
import type { StateDict } from "../../util/hostTensor.ts";
import { isObject, parseJson } from "../../util/untrusted/json.ts";
import { readRegularText } from "../../util/untrusted/regular.ts";
import { readSafetensors, writeSafetensors } from "../safetensors.ts";

/** Which tensors a checkpoint may hold; each is `<part>.safetensors`. */
export type CheckpointPart = "model" | "ema" | "optimizer";

/** What a checkpoint is worth knowing by, without reading its tensors. */
export type CheckpointInfo = {
  /** Epoch it was made in, from 0. */
  epoch: number;
  /** Optimizer updates done. */
  step: number;
  /** Whether the epoch was complete. */
  epochEnd: boolean;
  /** Value of the metric that decides which is best; null where it was not evaluated. */
  score: number | null;
};

/** The content of a checkpoint. `state` is anything that JSON can hold; `metadata` goes into each tensor file. */
export type Checkpoint = CheckpointInfo & {
  tensors: Partial<Record<CheckpointPart, StateDict>>;
  state: Record<string, unknown>;
  metadata: Record<string, string>;
};

type Manifest = CheckpointInfo & { format: 1; files: Record<string, { sha256: string; bytes: number }> };

/** Bytes of a manifest or of a run's state. */
const MOST_JSON_BYTES = 64 << 20;

/** Names of the folders of checkpoints, and the beginning of those that are not whole yet. */
export const CHECKPOINT_NAME = /^\d+-\d+(\.\d+)?$/;
export const WRITING = ".writing-";

/**
 * A free folder name `<epoch>-<step>`; names sort by age as text. A second checkpoint of the same step (a run that was
 * interrupted there and resumed) gets a number behind it: the first one must stay until `last` points elsewhere.
 */
async function freeName(dir: string, { epoch, step }: { epoch: number; step: number }): Promise<string> {
  const name = `${String(epoch).padStart(4, "0")}-${String(step).padStart(8, "0")}`;
  const taken = new Set(await readdir(dir).catch(() => []));
  let number = 1;
  const numbered = () => (number === 1 ? name : `${name}.${number}`);
  while (taken.has(numbered())) number++;
  return numbered();
}

/**
 * Write a checkpoint below `dir` (a run's `checkpoints` folder) and return its name. After a crash at any instant the
 * folder is there whole or not at all; where the disk is full, a UserError, and what was there before is intact.
 */
export async function saveCheckpoint(dir: string, checkpoint: Checkpoint): Promise<string> {
  const { tensors, state, metadata, epoch, step, epochEnd, score } = checkpoint;
  const name = await freeName(dir, checkpoint);
  const target = join(dir, name);
  const temporary = join(dir, `${WRITING}${name}-${randomBytes(4).toString("hex")}`);
  try {
    await removeLeftovers(dir);
    await mkdir(temporary, { recursive: true });
    for (const [part, dict] of Object.entries(tensors)) {
      await writeSafetensors(join(temporary, `${part}.safetensors`), dict, metadata);
    }
    await writeFileAtomic(join(temporary, "state.json"), `${JSON.stringify(state, null, 2)}\n`);
    const manifest: Manifest = { format: 1, epoch, step, epochEnd, score, files: {} };
    for (const file of (await readdir(temporary)).sort()) {
      const path = join(temporary, file);
      manifest.files[file] = { sha256: await sha256File(path), bytes: (await stat(path)).size };
    }
    await writeFileAtomic(join(temporary, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    await syncDirectory(temporary);
    await rename(temporary, target);
    await syncDirectory(dir);
    return name;
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined); // the first failure is the one to tell
    throw fileError(target, "write", cause);
  }
}

/** What a killed process left half written or half deleted. */
async function removeLeftovers(dir: string): Promise<void> {
  for (const entry of await readdir(dir).catch(() => [])) {
    if (entry.startsWith(WRITING)) await rm(join(dir, entry), { recursive: true, force: true });
  }
}

/** What a checkpoint's folder holds of its own. */
function isOurs(name: string): boolean {
  return /^((model|ema|optimizer)\.safetensors|(state|manifest)\.json)$/.test(name);
}

/** Take a checkpoint out of sight in one rename, then delete it. What others have put into its folder stays there. */
export async function removeCheckpoint(dir: string, name: string): Promise<void> {
  const here = await readdir(join(dir, name)).catch(() => []);
  if (!here.every(isOurs)) {
    await rm(join(dir, name, "manifest.json"), { force: true }); // without it the folder is no checkpoint
    await removeOurs(join(dir, name), isOurs);
    return;
  }
  const doomed = join(dir, `${WRITING}${name}-${randomBytes(4).toString("hex")}`);
  try {
    await rename(join(dir, name), doomed);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return;
    throw cause;
  }
  await rm(doomed, { recursive: true, force: true });
}

/** What a checkpoint's folder says of itself; undefined where it has no readable manifest. */
export async function checkpointInfo(path: string): Promise<CheckpointInfo | undefined> {
  const manifest = await readManifest(path).catch(() => undefined);
  if (!manifest) return undefined;
  const { epoch, step, epochEnd, score } = manifest;
  return { epoch, step, epochEnd, score };
}

/** The checkpoints below a run's `checkpoints` folder, oldest first; folders without a readable manifest are left out. */
export async function listCheckpoints(dir: string): Promise<(CheckpointInfo & { name: string })[]> {
  const names = (await readdir(dir).catch(() => [])).filter((name) => CHECKPOINT_NAME.test(name));
  const found = [];
  for (const name of names) {
    const info = await checkpointInfo(join(dir, name));
    if (info) found.push({ name, ...info });
  }
  return found.sort((a, b) => a.step - b.step || a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** Compare every file (or those named) with the manifest. Throws a UserError that names the first file that differs. */
export async function verifyCheckpoint(path: string, files?: string[]): Promise<void> {
  const manifest = await readManifest(path);
  for (const file of files ?? Object.keys(manifest.files)) {
    const expected = manifest.files[file];
    const full = join(path, file);
    if (!expected) throw new UserError(`The checkpoint ${path} has no ${file}.`);
    const facts = await stat(full).catch((cause) => {
      throw fileError(full, "read", cause);
    });
    if (!facts.isFile()) throw new UserError(`${full} is damaged: it is not a regular file.`); // a pipe would be waited for
    const { size } = facts;
    if (size !== expected.bytes) {
      throw new UserError(`${full} is damaged: it has ${size} bytes, its manifest says ${expected.bytes}.`);
    }
    if ((await sha256File(full)) !== expected.sha256) {
      throw new UserError(`${full} is damaged: its SHA-256 is not the one in its manifest.`);
    }
  }
}

/**
 * Read a checkpoint (a folder, or a link to one) after comparing what is read with its manifest. Only the named parts
 * are read; one that the checkpoint does not hold is left out. Throws a UserError that names the damaged file and the
 * newest intact checkpoint beside it.
 */
export async function loadCheckpoint(
  path: string,
  parts: CheckpointPart[] = ["model", "ema", "optimizer"],
): Promise<Checkpoint & { name: string }> {
  try {
    const { files, epoch, step, epochEnd, score } = await readManifest(path);
    const present = parts.filter((part) => files[`${part}.safetensors`]);
    await verifyCheckpoint(path, ["state.json", ...present.map((part) => `${part}.safetensors`)]);
    const state = await readState(join(path, "state.json"));
    const tensors: Checkpoint["tensors"] = {};
    let metadata: Record<string, string> = {};
    for (const part of present) {
      const content = await readSafetensors(join(path, `${part}.safetensors`));
      tensors[part] = content.tensors;
      metadata = content.metadata;
    }
    return { name: basename(await realpath(path)), epoch, step, epochEnd, score, tensors, state, metadata };
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause;
    const dir = dirname(path);
    const intact = await newestIntact(dir);
    if (!intact) throw cause;
    throw new UserError(cause.message, {
      hint: `The newest intact checkpoint is ${join(dir, intact)}. To go on from it: rfdetr-train rollback ${dirname(dir)} --to ${intact}`,
      cause,
    });
  }
}

/** Name of the newest checkpoint below a folder whose files all agree with its manifest. */
export async function newestIntact(dir: string): Promise<string | undefined> {
  for (const { name } of (await listCheckpoints(dir)).reverse()) {
    const intact = await verifyCheckpoint(join(dir, name)).then(
      () => true,
      () => false,
    );
    if (intact) return name;
  }
  return undefined;
}

async function readState(file: string): Promise<Record<string, unknown>> {
  const state = parseJson(await readRegularText(file, { most: MOST_JSON_BYTES }), file);
  if (isObject(state)) return state;
  throw new UserError(`${file} is damaged: it is no state of a run.`);
}

async function readManifest(path: string): Promise<Manifest> {
  const file = join(path, "manifest.json");
  const text = await readRegularText(file, { most: MOST_JSON_BYTES });
  try {
    const manifest = parseJson(text, file) as Manifest;
    const { files, epoch, step } = manifest;
    if (
      manifest.format === 1 &&
      typeof files === "object" &&
      files !== null &&
      Number.isInteger(epoch) &&
      Number.isInteger(step)
    ) {
      return manifest;
    }
  } catch {
    // said below
  }
  throw new UserError(`${file} is damaged: it is no manifest of a checkpoint.`);
}
