// Adds to package-lock.json the builds for other platforms that npm left out. npm writes an optional package into the lock
// file only where its registry (or mirror) serves it, and then `npm ci` refuses the file for being incomplete.
// Usage: node scripts/complete-lockfile.mjs   (after `npm install` of anything)
// What is added has no checksum, which a test refuses: with a registry that serves these builds, take them and the package that
// wants them out of the lock file, and let `npm install --package-lock-only` write them.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const SYSTEMS = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "linuxmusl",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
];
const CPUS = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"];

/** The optional packages that the lock file names and does not describe: [path, version]. */
export function missingBuilds(lock) {
  const missing = new Map();
  for (const entry of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const path = `node_modules/${name}`;
      if (!lock.packages[path] && /^\d/.test(version)) missing.set(path, version);
    }
  }
  return [...missing];
}

/** Fill in what is missing; system and processor are in the package's name. Dev-only where its parent is. */
export function complete(lock) {
  for (const [path, version] of missingBuilds(lock)) {
    const name = path.slice("node_modules/".length);
    const words = name.split(/[/-]/);
    const system = words.find((word) => SYSTEMS.includes(word));
    const cpu = words.find((word) => CPUS.includes(word));
    const parents = Object.values(lock.packages).filter((entry) => entry.optionalDependencies?.[name]);
    const entry = { version };
    if (cpu) entry.cpu = [cpu];
    if (parents.every((parent) => parent.dev)) entry.dev = true;
    if (system === "linuxmusl" || words.includes("musl")) entry.libc = ["musl"];
    entry.optional = true;
    if (system) entry.os = [system === "linuxmusl" ? "linux" : system];
    lock.packages[path] = entry;
  }
  const [root, ...rest] = Object.entries(lock.packages);
  lock.packages = Object.fromEntries([root, ...rest.sort(([a], [b]) => (a < b ? -1 : 1))]);
  return lock;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(dirname(dirname(fileURLToPath(import.meta.url))), "package-lock.json");
  const lock = JSON.parse(readFileSync(path, "utf8"));
  const count = missingBuilds(lock).length;
  if (count > 0) writeFileSync(path, `${JSON.stringify(complete(lock), null, 2)}\n`);
  console.log(`${count} builds for other platforms added to package-lock.json`);
}
