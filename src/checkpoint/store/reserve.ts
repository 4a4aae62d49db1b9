// Room for one more checkpoint, held by a file as large as one: on a disk that becomes full, it is given back and the checkpoint takes
// its place.

import { randomBytes } from "node:crypto";
import { mkdir, open, realpath, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Fact } from "../../util/text/fact.ts";
import { queue } from "../../util/threads/queue.ts";

export type DiskReserve = {
  /** Bytes that it holds. */
  bytes: number;
  /** Hold the room, where it is not held yet. Never throws; returns what keeps it from being held, for people. */
  hold(): Promise<string | undefined>;
  /** Whether it is held, or would fit. */
  fits(): Promise<boolean>;
  /** Give the room back; whether there was any. Never throws. */
  release(): Promise<boolean>;
  /** The disk, how much is free there, and how much is held. */
  fact(): Promise<Fact>;
};

/** Its name in a run's folder of checkpoints. */
export const RESERVE = ".reserve";

const CHUNK = 4 << 20;

/** A reserve of so many bytes in a run's folder of checkpoints; one of none does nothing. */
export function diskReserve(dir: string, bytes: number): DiskReserve {
  const path = join(dir, RESERVE);
  let isWanted = false;
  const inTurn = queue();
  const size = () => stat(path).then((status) => status.size, () => -1); // biome-ignore format: one line
  const noRoom = `The disk of ${dir} has no room to hold ${megabytes(bytes)} in reserve: should it become full, the steps since the last checkpoint would be lost. Free some space there.`;
  const write = async () => {
    await rm(path, { force: true }); // where it is a link, what it leads to is left alone
    const file = await open(path, "wx");
    try {
      const chunk = randomBytes(Math.min(CHUNK, bytes)); // a file system may store zeros, and what repeats, in no room at all
      for (let left = bytes; left > 0 && isWanted; left -= chunk.length)
        await file.writeFile(left < chunk.length ? chunk.subarray(0, left) : chunk);
      await file.sync();
    } finally {
      await file.close();
    }
  };
  return {
    bytes,
    hold: () => {
      isWanted = true;
      return inTurn(async () => {
        if (bytes === 0 || (await size()) >= bytes) return undefined;
        await mkdir(dir, { recursive: true });
        if ((await freeBytes(dir)) >= bytes) await write().catch(() => {});
        if (isWanted && (await size()) >= bytes) return undefined;
        await rm(path, { force: true });
        return isWanted ? noRoom : undefined;
      }).catch(() => noRoom);
    },
    fits: async () => (await size()) >= bytes || (await freeBytes(dir)) >= bytes,
    release: () => {
      isWanted = false;
      return inTurn(async () => {
        const there = await size();
        await rm(path, { force: true });
        return there > 0;
      }).catch(() => false);
    },
    fact: async () => {
      const free = await freeBytes(dir).catch(() => undefined);
      const left = free === undefined ? "" : `, ${megabytes(free)} free`;
      const held =
        bytes === 0
          ? ""
          : `; ${megabytes(bytes)}, as much as a checkpoint takes, are held in reserve while the run lasts`;
      return { name: "Disk", value: `${await diskOf(dir)}${left}${held}` };
    },
  };
}

/** Where the disk that holds a folder is mounted. */
export async function diskOf(dir: string): Promise<string> {
  try {
    let place = await realpath(dir);
    const { dev } = await stat(place);
    for (;;) {
      const above = dirname(place);
      if (above === place || (await stat(above)).dev !== dev) return place;
      place = above;
    }
  } catch {
    return dir;
  }
}

/** A size for people. */
export function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}

async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}
