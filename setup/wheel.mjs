// Python wheels (PEP 427): zip archives that list the SHA-256 of every file in RECORD and their needs in METADATA.

import { mkdir } from "node:fs/promises";
import { dirname, join, normalize, sep } from "node:path";
import { extractEntry, listZip, readEntry, ZipError } from "./zip.mjs";

/** A wheel whose content is not what its RECORD or its pin says. */
export class WheelError extends Error {
  name = "WheelError";
}

/** Whether an error means that the archive is damaged, so that fetching it again can help. */
export const isDamage = (error) => error instanceof ZipError || error instanceof WheelError;

/** RECORD: lines of `path,sha256=<base64url>,size`, as CSV. @returns {Map<string, { sha256: string, size: number }>} */
export function parseRecord(text) {
  const record = new Map();
  for (const line of text.split(/\r?\n/)) {
    const match = /^(?:"((?:[^"]|"")*)"|([^,"]*)),sha256=([A-Za-z0-9_-]{43})=?,(\d+)$/.exec(line);
    if (match) record.set(match[1]?.replaceAll('""', '"') ?? match[2], { sha256: match[3], size: Number(match[4]) });
  }
  return record;
}

/** What METADATA requires under one extra, e.g. `["nvidia-cublas-cu12<13.0,>=12.5.3.2", ...]`. */
export function requirements(metadata, extra) {
  return [...metadata.matchAll(/^Requires-Dist: ([^;\r\n]+); *extra == ["']([^"']+)["'] *\r?$/gm)]
    .filter((match) => match[2] === extra)
    .map((match) => match[1].replaceAll(/[\s()]/g, ""));
}

/**
 * Open a wheel: its entries, its RECORD, its METADATA.
 * @throws ZipError, WheelError
 */
export async function openWheel(path) {
  const entries = await listZip(path);
  const text = async (name) => {
    const entry = entries.find((e) => e.name.endsWith(`.dist-info/${name}`) && e.name.split("/").length === 2);
    if (!entry) throw new WheelError(`${path} has no ${name}`);
    return (await readEntry(path, entry)).toString("utf8");
  };
  return { path, entries, record: parseRecord(await text("RECORD")), metadata: await text("METADATA") };
}

/**
 * Extract the selected files into a folder, each checked against RECORD.
 * @param {(name: string) => boolean} select
 * @param {(done: number, total: number) => void} [onProgress] bytes
 * @returns {Promise<Record<string, { sha256: string, size: number }>>} what was extracted
 */
export async function extractWheel(wheel, select, folder, onProgress = () => {}) {
  const chosen = wheel.entries.filter((entry) => !entry.name.endsWith("/") && select(entry.name));
  const total = chosen.reduce((sum, entry) => sum + entry.size, 0);
  const files = {};
  let done = 0;
  for (const entry of chosen) {
    const expected = wheel.record.get(entry.name);
    if (!expected) throw new WheelError(`${entry.name} is not in the wheel's RECORD`);
    if (expected.size !== entry.size)
      throw new WheelError(`${entry.name}: its size is not the one in the wheel's RECORD`);
    const path = normalize(entry.name);
    if (path.startsWith("..") || path.startsWith(sep) || /^[A-Za-z]:/.test(path)) {
      throw new WheelError(`${entry.name} would be written outside the folder`);
    }
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    const check = (sha256) => {
      if (sha256 !== expected.sha256) {
        throw new WheelError(`${entry.name}: its SHA-256 is not the one in the wheel's RECORD`);
      }
    };
    await extractEntry(wheel.path, entry, target, check, (bytes) => {
      done += bytes;
      onProgress(done, total);
    });
    files[entry.name] = expected;
  }
  return files;
}
