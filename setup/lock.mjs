// A lock between processes: a folder that exists while it is held. One left behind by a killed process is taken over.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const BEAT_MS = 2_000;
const STALE_MS = 60_000;
/** A lock without an owner file is one whose maker was killed between two system calls, or is about to write it. */
const NAMELESS_MS = 5_000;

/**
 * Do `work` while no other process does work under the same lock.
 * @param {(owner: { pid: number, host: string } | undefined) => void} [onWait] told once where it has to wait
 */
export async function withLock(path, work, onWait = () => {}) {
  await mkdir(dirname(path), { recursive: true });
  let told = false;
  while (!(await acquire(path))) {
    if (await isStale(path)) {
      await takeAway(path);
      continue;
    }
    if (!told) onWait(await owner(path));
    told = true;
    await sleep(200);
  }
  // Other hosts that share the folder cannot ask whether our process lives: they look at this time.
  const beat = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    await rm(path, { recursive: true, force: true });
  }
}

async function acquire(path) {
  try {
    await mkdir(path);
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
  const me = { pid: process.pid, started: processStart(process.pid), host: hostname() };
  await writeFile(join(path, "owner.json"), JSON.stringify(me));
  return true;
}

async function owner(path) {
  try {
    return JSON.parse(await readFile(join(path, "owner.json"), "utf8"));
  } catch {
    return undefined;
  }
}

async function isStale(path) {
  const holder = await owner(path);
  const age = await stat(path).then(
    (s) => Date.now() - s.mtimeMs,
    () => 0,
  );
  if (!holder) return age > NAMELESS_MS;
  if (holder.host !== hostname()) return age > STALE_MS;
  return !isAlive(holder);
}

function isAlive({ pid, started }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === "ESRCH") return false;
  }
  // A process id is used again after a while; the start time tells the two apart.
  return started === undefined || processStart(pid) === started;
}

/** When a process started, in clock ticks since boot (Linux; elsewhere undefined). */
function processStart(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ")[19];
  } catch {
    return undefined;
  }
}

/** Remove a stale lock. Only one process at a time may do so, else the second would remove the first one's new lock. */
async function takeAway(path) {
  const guard = `${path}.break`;
  try {
    await mkdir(guard);
  } catch {
    const { mtimeMs } = await stat(guard).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > STALE_MS) await rm(guard, { recursive: true, force: true });
    return sleep(100);
  }
  try {
    if (!(await isStale(path))) return;
    const away = `${path}.${randomBytes(4).toString("hex")}.old`;
    await rename(path, away).catch(() => {});
    await rm(away, { recursive: true, force: true });
  } finally {
    await rm(guard, { recursive: true, force: true });
  }
}
