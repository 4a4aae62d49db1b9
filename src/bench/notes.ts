// What about the models and the numbers asked for makes the times hard to compare.

import type { Detector } from "../detector/detector.ts";

/** Of one model against its own kind, and of two against each other. */
export function notesOnModels(
  subjects: readonly Pick<Detector, "source" | "resolution" | "nativeResolution" | "device">[],
): string[] {
  const notes = subjects.flatMap(({ source, resolution: side, nativeResolution: native, device }) => [
    ...(device.warning === undefined ? [] : [device.warning]),
    ...(side === native ? [] : [`${source} is measured at ${side} pixels a side; its own resolution is ${native}.`]),
  ]);
  const [a, b] = subjects;
  if (a && b && a.resolution !== b.resolution)
    notes.push(
      `The two take images of different sides, ${a.resolution} and ${b.resolution} pixels: their times differ for that, too.`,
    );
  const devices = subjects.map(({ device }) => deviceName(device));
  if (a && b && devices[0] !== devices[1]) notes.push(`The two run on different devices: ${devices.join(" and ")}.`);
  return notes;
}

/** "cpu", whatever the processor, or the name of the GPU. */
export function deviceName({ kind, name }: Detector["device"]): string {
  return kind === "gpu" ? name : "cpu";
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
