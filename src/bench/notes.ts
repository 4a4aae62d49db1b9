// What about the models and the numbers asked for makes the times hard to compare.

import type { Subject } from "./subject.ts";

/** Of one model against its own kind, and of two against each other. */
export function notesOnModels(
  subjects: readonly Pick<Subject, "warning" | "source" | "pipeline" | "native" | "device">[],
): string[] {
  const notes = subjects.flatMap(({ warning, source, pipeline: { side }, native }) => [
    ...(warning === undefined ? [] : [warning]),
    ...(side === native ? [] : [`${source} is measured at ${side} pixels a side; its own resolution is ${native}.`]),
  ]);
  const [a, b] = subjects;
  if (a && b && a.pipeline.side !== b.pipeline.side)
    notes.push(
      `The two take images of different sides, ${a.pipeline.side} and ${b.pipeline.side} pixels: their times differ for that, too.`,
    );
  if (a && b && a.device !== b.device) notes.push(`The two run on different devices: ${a.device} and ${b.device}.`);
  return notes;
}

/** `most`: the largest batch. */
export function notesOnNumbers({ rounds, images, most }: { rounds: number; images: number; most: number }): string[] {
  const notes: string[] = [];
  if (rounds < ROUNDS)
    notes.push(`With ${rounds} rounds, ${rounds < 20 ? "p95 and p99 are" : "p99 is"} as good as the slowest; ${ROUNDS} rounds say more.`); // biome-ignore format: one line
  if (images < rounds * most)
    notes.push(`There are ${images} images; each was read several times, so the files came from the memory.`);
  return notes;
}

/** From here on p99 is no longer the slowest. */
const ROUNDS = 100;
