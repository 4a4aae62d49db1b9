// environment.json: on what a run ran.

import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { basename, dirname } from "node:path";
import { sha256File } from "../util/files.ts";
import { foundUpwards, installedVersion, packagePath } from "../util/package.ts";
import { gitCommit } from "../util/untrusted/git.ts";

/** What only the caller knows: the engine (this folder never loads it) and the data set. */
export type EngineFacts = {
  tfjs: string;
  libtensorflow: string;
  /** Such as "cpu" or the name of the GPU. */
  device: string;
};

export type Environment = {
  rfdetr_train: string;
  node: string;
  platform: string;
  cpu: { model: string; cores: number };
  memory_bytes: number;
  /** The checkout that the program was started in; older versions also noted whether it had changes. */
  git: { commit: string; changed?: boolean } | null;
  started: string;
  tfjs: string;
  libtensorflow: string;
  device: string;
  /** Versions of what reads images and runs ONNX files, null where it is not installed; older versions did not note them. */
  sharp?: string | null;
  onnxruntime?: string | null;
  /** The lockfile that all dependencies were installed by. */
  lockfile?: { file: string; sha256: string } | null;
  dataset: DatasetFacts;
};

/** Hashes of the data: `fingerprint` of boxes and files' sizes, `content` of the images' bytes, which older versions did not note. */
type DatasetFacts = {
  fingerprint: string;
  content?: string;
  /** Labels of the training split that a model made, and what is known of how. */
  labels_by_model?: { images: number; boxes: number; models: object[] };
};

/** Whether two runs saw the same data, as far as both have noted it. */
export function isSameData(a: DatasetFacts, b: DatasetFacts): boolean {
  if (a.fingerprint !== b.fingerprint) return false;
  return a.content === undefined || b.content === undefined || a.content === b.content;
}

/** Version of this program, from its package.json. */
export function programVersion(): string {
  const manifest = readFileSync(packagePath("package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** All that is known about this machine and this run. */
export async function describeEnvironment(engine: EngineFacts, dataset: DatasetFacts): Promise<Environment> {
  return {
    rfdetr_train: programVersion(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch} ${release()}`,
    cpu: { model: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism() },
    memory_bytes: totalmem(),
    git: await gitCommit(process.cwd()),
    started: new Date().toISOString(),
    ...engine,
    sharp: installedVersion("sharp"),
    onnxruntime: installedVersion("onnxruntime-node"),
    lockfile: await lockfile(),
    dataset,
  };
}

const LOCKFILES = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock"];

/** The nearest lockfile: this checkout's, or that of the project in which the package is installed. */
async function lockfile(): Promise<Environment["lockfile"]> {
  const found = LOCKFILES.flatMap((name) => foundUpwards(name) ?? []);
  const path = found.sort((a, b) => dirname(b).length - dirname(a).length)[0];
  if (path === undefined) return null;
  return sha256File(path).then(
    (sha256) => ({ file: basename(path), sha256 }),
    () => null, // a folder, or not to be read
  );
}
