// How a training of several workers begins: all of the same program, recipe and data, and from the first one's state.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Workers } from "../../distributed/workers.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { type Environment, programVersion } from "../../run/environment.ts";
import type { SplitRecord } from "../../run/records/split.ts";
import type { LearnerTensors } from "../../step/learner.ts";
import { UserError } from "../../util/errors.ts";
import type { StateDict } from "../../util/hostTensor.ts";
import type { Progress } from "../progress.ts";

/** What the first worker tells the others before any of them reads data. */
export type Beginning = {
  recipe: Recipe;
  overfit: number | null;
  progress: Progress;
  /** The rest is of a run that goes on. */
  goesOn: boolean;
  emaUpdates: number;
  classNames?: readonly string[] | undefined;
  kept?: SplitRecord | null | undefined;
};

/** Compare something that must be alike on all workers. Throws a UserError that names what differs, and where. */
function requireAlike(workers: Workers, values: Record<string, unknown>, hint: string): void {
  if (workers.size === 1) return;
  const digests = Object.entries(values).map(([what, value]) => [what, digest(value)] as const);
  for (const [worker, theirs] of workers.gather(digests.map(([, own]) => own)).entries()) {
    const differing = digests.filter(([, own], i) => theirs[i] !== own).map(([what]) => what);
    if (differing.length > 0)
      throw new UserError(`Worker ${worker} and worker ${workers.rank} differ in ${differing.join(" and ")}.`, {
        hint,
      });
  }
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

/** Of the modules that this program consists of, as they run: two checkouts may have the same version. */
function programDigest(): string {
  const folder = join(import.meta.dirname, "..", "..");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => /\.[jt]s$/.test(file));
  const hash = createHash("sha256");
  for (const file of files.sort()) hash.update(`${file}\n`).update(readFileSync(join(folder, file)));
  return hash.digest("hex");
}

/** Before anything is read: the program, and where each worker has read it itself, the recipe. */
export function requireSameProgram(workers: Workers, recipe: Recipe | null): void {
  if (workers.size === 1) return;
  const given = recipe && { ...recipe, track: null }; // accounts and how much is logged are the first one's business
  const values = {
    "their version of rfdetr-train": [programVersion(), programDigest()],
    "the recipe, or what --set changes in it": given,
  };
  requireAlike(
    workers,
    values,
    "Install the same version on all machines, and start all workers with the same recipe and options.",
  );
}

/** Before the first step: the engine's version, and what was read as data. */
export function requireSameEnvironment(workers: Workers, { libtensorflow, dataset }: Environment): void {
  const { fingerprint, content } = dataset;
  const values = { "TensorFlow's version": libtensorflow, "the data set": [fingerprint, content] };
  requireAlike(
    workers,
    values,
    "Each worker reads the data set from its own disk: all need the same images and annotations, and the same engine.",
  );
}

/** The first worker's tensors on all of them; the others give none. */
export function shareTensors(workers: Workers, tensors: StateDict | undefined): StateDict {
  if (workers.size === 1) return tensors!;
  const names = workers.fromFirst(tensors && [...tensors.keys()]);
  return new Map(names.map((name) => [name, workers.fromFirst(tensors?.get(name))]));
}

/** All that a run goes on with, likewise. `state` is the first worker's. */
export function shareState(workers: Workers, state: LearnerTensors | undefined): LearnerTensors {
  if (workers.size === 1) return state!;
  const parts = workers.fromFirst(state && (Object.keys(state) as (keyof LearnerTensors)[]));
  return Object.fromEntries(parts.map((part) => [part, shareTensors(workers, state?.[part])])) as LearnerTensors;
}
