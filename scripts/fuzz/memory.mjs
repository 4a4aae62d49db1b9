// Memory of a process and of those that it has started, now, from /proc; 0 where there is none.

import { readdirSync, readFileSync } from "node:fs";

const PAGE = 4096;

/** Megabytes that the process and all below it have in memory. */
export function megabytesOf(pid) {
  try {
    const own = (Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE) / 2 ** 20;
    const below = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean),
    );
    return below.reduce((sum, child) => sum + megabytesOf(child), own);
  } catch {
    return 0; // it has ended meanwhile
  }
}
