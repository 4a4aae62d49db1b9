// What a run's folder holds of weights and evaluations that it has gone back behind: its exports, and the details of evaluations.

import { rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { weightsAt } from "../../checkpoint/weightsFolder.ts";
import { RUN_FILES, runFiles } from "../../run/files.ts";
import { readJsonObject } from "../../run/json.ts";
import { readExported } from "../../run/records/exported.ts";
import { readTestRecord } from "../../run/records/testRecord.ts";
import { sha256File } from "../../util/files.ts";
import { isMissing } from "../../util/untrusted/regular.ts";

/** Names of files in `dir` that are of evaluations after `step`, or made of other weights than the best ones are now. */
export async function outdatedFiles(dir: string, step: number): Promise<string[]> {
  const files = runFiles(dir);
  const later = async (path: string) => {
    const record = await readJsonObject<{ step?: unknown }>(path);
    return typeof record?.step === "number" && record.step > step;
  };
  const best = await weightsAt(dir).then(sha256File, () => undefined);
  const exported = await readExported(dir);
  const old = exported.filter(({ weights }) => weights?.sha256 !== best);
  const tested = await readTestRecord(dir);
  return [
    ...((await later(files.evaluation)) ? [RUN_FILES.evaluation] : []),
    ...((await later(files.bestEvaluation)) ? [RUN_FILES.bestEvaluation] : []),
    ...(tested && tested.weights.sha256 !== best ? [RUN_FILES.testEvaluation] : []),
    ...old.map(({ file }) => file).filter((file) => file === basename(file)),
    ...(old.length > 0 && old.length === exported.length ? [RUN_FILES.exported] : []),
  ];
}

/** Move files of `dir` to `folder`, which is there; returns those that were there. */
export async function moveAside(dir: string, names: readonly string[], folder: string): Promise<string[]> {
  const moved: string[] = [];
  for (const name of names) {
    try {
      await rename(join(dir, name), join(folder, name));
      moved.push(name);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return moved;
}
