// Loaded into a program whose parent will be gone (`node --import`): leaves the exit code in the file SOAK_EXIT_FILE.

import { writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

if (isMainThread && process.env.SOAK_EXIT_FILE)
  process.on("exit", (code) => writeFileSync(process.env.SOAK_EXIT_FILE, String(code)));
