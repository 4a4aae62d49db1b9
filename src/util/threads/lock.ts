// A file that one process holds at a time: it names its holder, and one whose holder has died counts for nothing.

import { randomBytes } from "node:crypto";
import { link, lstat, mkdir, readFile, rm, rmdir, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../errors.ts";
import { readRegularText } from "../untrusted/regular.ts";

/** Whoever holds a lock. `began`: when the process began, where the system says it; numbers of processes come again. */
export type Holder = { pid: number; began: string; host: string };

/** Holders on other machines cannot be asked whether they live: they touch the file, and one that was not touched for so long is left. */
const BEAT_MS = 15_000;
const LEFT_MS = 180_000;
const GUARD_MS = 10_000;
const MOST_BYTES = 4096;

/**
 * Take the lock, or return its holder. `release` gives it back; a process that ends without that leaves a file that the next one
 * takes over. Throws where the file cannot be written.
 */
export async function acquire(
  path: string,
): Promise<{ release: () => Promise<void>; holder?: undefined } | { holder: Holder }> {
  const own = `${path}.${randomBytes(4).toString("hex")}`;
  await writeFile(own, JSON.stringify(await thisProcess()));
  try {
    while (!(await claim(own, path))) {
      const holder = await holderOf(path);
      if (holder) return { holder };
      await takeAway(path);
    }
  } finally {
    await rm(own, { force: true });
  }
  const beat = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), BEAT_MS);
  beat.unref();
  return {
    release: async () => {
      clearInterval(beat);
      await rm(path, { force: true });
    },
  };
}

/** Who holds a lock and lives; undefined where nobody does. */
export async function holderOf(path: string): Promise<Holder | undefined> {
  const holder = parse(await readRegularText(path, { most: MOST_BYTES }).catch(() => ""));
  if (!holder) return undefined;
  if (holder.host !== hostname()) {
    const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? 0);
    return age < LEFT_MS ? holder : undefined;
  }
  return isAlive(holder.pid) && (await beginningOf(holder.pid)) === holder.began ? holder : undefined;
}

export async function thisProcess(): Promise<Holder> {
  return { pid: process.pid, began: await beginningOf(process.pid), host: hostname() };
}

/** Make `own` be at `path` too, which only one process can; some file systems know no second name for a file. */
async function claim(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS" && code !== "EOPNOTSUPP") throw error;
  }
  try {
    await writeFile(path, await readFile(own), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Remove a lock that nobody holds. One process at a time: a second one would remove what the first has taken since. */
async function takeAway(path: string): Promise<void> {
  const guard = `${path}.guard`;
  try {
    await mkdir(guard);
  } catch {
    const since = Date.now() - ((await stat(guard).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (since > GUARD_MS)
      await rmdir(guard).catch(() => {}); // its maker was killed
    else await sleep(20);
    return;
  }
  try {
    if (await holderOf(path)) return;
    if ((await lstat(path).catch(() => undefined))?.isDirectory())
      throw new UserError(`${path} is a folder, where the file of a lock belongs.`, {
        hint: "Move it away or delete it.",
      });
    await rm(path, { force: true });
  } finally {
    await rmdir(guard).catch(() => {});
  }
}

function parse(text: string): Holder | undefined {
  try {
    const { pid, began, host = hostname() } = JSON.parse(text) as Partial<Holder>;
    return Number.isSafeInteger(pid) && pid! > 0 && typeof began === "string" && typeof host === "string"
      ? { pid: pid!, began, host }
      : undefined;
  } catch {
    return undefined; // a file that was cut off when its writer was killed
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function beginningOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
