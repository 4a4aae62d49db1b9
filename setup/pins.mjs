// What the engine is made of: each wheel by exact version, size and SHA-256, and one sum over all files that are unpacked of them.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** The release that the engine is built from. */
export const TENSORFLOW = "2.21.0";
export const LIBRARIES = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"];

/**
 * By kind of engine. scripts/pin-engine.mjs writes them.
 * @type {Record<"cpu" | "gpu", { contents: string, wheels: { name: string, version: string, file: string, bytes: number, sha256: string }[] }>}
 */
export const PINS = readPins();

function readPins() {
  try {
    return JSON.parse(readFileSync(new URL("./pins.json", import.meta.url), "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return {}; // while they are made
    throw error;
  }
}

/** Whether a file of a wheel belongs to the engine. */
export function isWanted(name) {
  return isEngineFile(name) || isCudaFile(name);
}

const isEngineFile = (name) =>
  LIBRARIES.some((library) => name === `tensorflow/${library}`) ||
  /^tensorflow\/include\/(tensorflow\/c\/|tensorflow\/core\/platform\/ctstring|tsl\/platform\/ctstring|xla\/tsl\/c\/)/.test(
    name,
  ) ||
  /^tensorflow\/(THIRD_PARTY_NOTICES\.txt|include\/LICENSE)$/.test(name);

/** Libraries and what XLA runs (ptxas, libdevice); no headers, no static libraries. */
const isCudaFile = (name) => name.startsWith("nvidia/") && !/\/include\/|\.(a|h|hpp|py)$/.test(name);

/** One SHA-256 over names, sums and sizes of files. @param {Record<string, { sha256: string, size: number }>} files */
export function contentsSum(files) {
  const lines = Object.entries(files).map(([name, { sha256, size }]) => `${name} ${sha256} ${size}\n`);
  return createHash("sha256").update(lines.sort().join("")).digest("hex");
}
