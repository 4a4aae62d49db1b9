// Which checkpoints of a run are kept.

import { linkedCheckpoint } from "./links.ts";
import { listCheckpoints, removeCheckpoint } from "./store.ts";

/** How many to keep: the newest, those of the highest score, and one every so many epochs (null: none for that). */
export type KeepRule = { keepLast: number; keepBest: number; keepEvery: number | null };

/** Delete what the rule does not keep; what `best` and `last` stand for always stays. Returns the names deleted. */
export async function pruneCheckpoints(dir: string, rule: KeepRule): Promise<string[]> {
  const listed = await listCheckpoints(dir);
  const all = listed.filter(({ step }, i) => listed[i + 1]?.step !== step); // of the same step only the last
  const scored = all.filter(({ score }) => score !== null).sort((a, b) => b.score! - a.score! || a.step - b.step);
  const { keepLast, keepBest, keepEvery } = rule;
  const keep = new Set([
    await linkedCheckpoint(dir, "best"),
    await linkedCheckpoint(dir, "last"),
    ...all.slice(Math.max(0, all.length - keepLast)).map(({ name }) => name),
    ...scored.slice(0, keepBest).map(({ name }) => name),
    ...all.filter((one) => keepEvery && one.epochEnd && (one.epoch + 1) % keepEvery === 0).map(({ name }) => name),
  ]);
  const doomed = listed.filter(({ name }) => !keep.has(name)).map(({ name }) => name);
  for (const name of doomed) await removeCheckpoint(dir, name);
  return doomed;
}
