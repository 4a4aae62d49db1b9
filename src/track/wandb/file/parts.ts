// The folders that a run has been written to for `wandb sync`: those that were sent stay as they are, since W&B appends
// what it is sent again; what came after them goes into a further one.

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readRunText } from "../../../run/json.ts";
import { parseJson } from "../../../util/untrusted/json.ts";

/** What a folder covers: the run's rows up to the step `through`, its times up to `ended` (milliseconds since 1970), a checkpoint. */
export type Covered = { through: number; ended: number; checkpoint: string | null };

export type WrittenPart = { name: string; sent: boolean; covered: Covered };

/** The file beside the run in which a folder says what it covers. */
export const COVERED = "covered.json";

/** The folders of a run below `home`, those that came first first. W&B marks a file that it was sent by another beside it. */
export async function writtenParts(home: string, id: string): Promise<WrittenPart[]> {
  const names = (await readdir(home).catch(() => [])).filter((name) => {
    return /^offline-run-\d{8}_\d{6}-/.test(name) && name.endsWith(`-${id}`);
  });
  const parts = names.sort().map(async (name): Promise<WrittenPart[]> => {
    const text = await readRunText(join(home, name, COVERED), { dir: home }).catch(() => undefined);
    if (text === undefined) return []; // not of this program's making
    const sent = existsSync(join(home, name, `run-${id}.wandb.synced`));
    const { through, ended, checkpoint } = (parseJson(text, join(home, name, COVERED)) ?? {}) as Partial<Covered>;
    if (typeof through !== "number" || typeof ended !== "number") return [];
    return [
      { name, sent, covered: { through, ended, checkpoint: typeof checkpoint === "string" ? checkpoint : null } },
    ];
  });
  return (await Promise.all(parts)).flat();
}

/** A name that sorts after those of the parts that were sent. */
export function nextName(parts: readonly WrittenPart[], { id, started }: { id: string; started: number }): string {
  const taken = parts.map(({ name }) => name);
  for (let at = started; ; at += 1000) {
    const stamp = new Date(at).toISOString().replaceAll(/[-:]/g, "").replace("T", "_").slice(0, 15);
    const name = `offline-run-${stamp}-${id}`;
    if (taken.every((other) => other < name)) return name;
  }
}
