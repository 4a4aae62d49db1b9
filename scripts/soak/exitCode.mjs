// Loaded into a program whose parent will be gone (`node --import`): leaves its number in the file SOAK_EXIT_FILE.pid, and its exit
// code in SOAK_EXIT_FILE.

import { writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

const file = process.env.SOAK_EXIT_FILE;
if (isMainThread && file) {
  writeFileSync(`${file}.pid`, String(process.pid));
  process.on("exit", (code) => writeFileSync(file, String(code)));
}
