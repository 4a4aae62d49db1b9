// Two disks that become full: a small one of its own, which needs root, and a limit on the size of one program's files.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";

const DISK_BYTES = 32 << 20;

/** A file system in memory at `path`; undefined where that is not allowed. */
export async function smallDisk(path) {
  await mkdir(path, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "soak", path], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  const ballast = join(path, "ballast");
  return {
    path,
    /** Leave this many bytes free. */
    fill: async (free) => {
      const file = await open(ballast, "w");
      const { bavail, bsize } = await statfs(path);
      const block = Buffer.alloc(bsize);
      const blocks = Math.max(0, bavail - Math.ceil(free / bsize));
      for (let i = 0; i < blocks; i++) if ((await file.write(block).catch(() => true)) === true) break;
      await file.close();
    },
    empty: () => rm(ballast, { force: true }),
    remove: () => execFileSync("umount", ["-l", path], { stdio: "ignore" }),
  };
}

/** From now on no file of a process grows beyond this, if it has not ended just now. */
export function limitFiles(pid, bytes) {
  spawnSync("prlimit", [`--fsize=${bytes}`, "--pid", String(pid)]);
}
