// Who goes where memory runs out: a process that tries something says that it is the one.

import { writeFileSync } from "node:fs";

/** Where memory runs out, the kernel shall end this process rather than another (Linux). */
export function dieFirst(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "1000");
  } catch {
    // then it chooses by itself
  }
}
