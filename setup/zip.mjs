// Reads zip archives (PKWARE APPNOTE 6.3: stored and deflated entries, zip64) from disk without holding them in memory.

import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";

const END = 0x06054b50;
const END64_LOCATOR = 0x07064b50;
const END64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

/** An archive that is cut short, damaged, or not an archive at all. */
export class ZipError extends Error {
  name = "ZipError";
}

/**
 * The entries of an archive, from its central directory.
 * @returns {Promise<{ name: string, method: number, compressedSize: number, size: number, offset: number, mode: number }[]>}
 */
export async function listZip(path) {
  const file = await open(path, "r");
  try {
    const { size: fileSize } = await file.stat();
    const read = async (position, length) => {
      if (position < 0 || length < 0 || position + length > fileSize) throw new ZipError(`${path} is cut short`);
      const buffer = Buffer.alloc(length);
      await file.read(buffer, 0, length, position);
      return buffer;
    };
    const tailLength = Math.min(fileSize, 22 + 0xffff);
    const tail = await read(fileSize - tailLength, tailLength);
    let at = tail.length - 22;
    while (at >= 0 && tail.readUInt32LE(at) !== END) at--;
    if (at < 0) throw new ZipError(`${path} is not a whole zip archive`);
    let count = tail.readUInt16LE(at + 10);
    let length = tail.readUInt32LE(at + 12);
    let start = tail.readUInt32LE(at + 16);
    if (count === 0xffff || length === 0xffffffff || start === 0xffffffff) {
      if (at < 20 || tail.readUInt32LE(at - 20) !== END64_LOCATOR) throw new ZipError(`${path}: no zip64 directory`);
      const end = await read(Number(tail.readBigUInt64LE(at - 12)), 56);
      if (end.readUInt32LE(0) !== END64) throw new ZipError(`${path}: no zip64 directory`);
      count = Number(end.readBigUInt64LE(32));
      length = Number(end.readBigUInt64LE(40));
      start = Number(end.readBigUInt64LE(48));
    }
    return parseDirectory(path, await read(start, length), count);
  } finally {
    await file.close();
  }
}

function parseDirectory(path, directory, count) {
  const entries = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== CENTRAL) {
      throw new ZipError(`${path}: damaged directory`);
    }
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => directory.readUInt16LE(at + o));
    const entry = {
      name: directory.toString("utf8", at + 46, at + 46 + nameLength),
      method: directory.readUInt16LE(at + 10),
      compressedSize: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
      mode: directory.readUInt32LE(at + 38) >>> 16,
    };
    const extra = directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
    if (!readZip64(entry, extra)) throw new ZipError(`${path}: damaged directory at ${entry.name}`);
    entries.push(entry);
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

/** The zip64 extra field holds, in this order, whichever of the three did not fit into 32 bits. False where it is not whole. */
function readZip64(entry, extra) {
  const keys = ["size", "compressedSize", "offset"].filter((key) => entry[key] === 0xffffffff);
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    if (at + 4 + 8 * keys.length > extra.length) return false;
    for (const [i, key] of keys.entries()) entry[key] = Number(extra.readBigUInt64LE(at + 4 + 8 * i));
  }
  return [entry.size, entry.offset + entry.compressedSize].every((n) => n < 2 ** 52); // beyond it numbers are not exact
}

/** A stream of an entry's content. It ends in an error where the content is longer or shorter than the directory says. */
async function openEntry(path, entry) {
  if (entry.method !== 0 && entry.method !== 8) throw new ZipError(`${entry.name}: compression ${entry.method}`);
  const header = Buffer.alloc(30);
  const file = await open(path, "r");
  try {
    const { bytesRead } = await file.read(header, 0, 30, entry.offset);
    if (bytesRead < 30 || header.readUInt32LE(0) !== LOCAL) throw new ZipError(`${path}: damaged at ${entry.name}`);
  } finally {
    await file.close();
  }
  const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  const source = createReadStream(path, {
    start,
    end: start + Math.max(entry.compressedSize, 1) - 1,
    highWaterMark: 1 << 20,
  });
  let seen = 0;
  const exact = new Transform({
    transform(chunk, _, done) {
      seen += chunk.length;
      done(seen > entry.size ? new ZipError(`${entry.name}: longer than the archive says`) : null, chunk);
    },
    flush(done) {
      done(seen === entry.size ? null : new ZipError(`${entry.name}: shorter than the archive says`));
    },
  });
  if (entry.compressedSize === 0) return [source, new Transform({ transform: (_, __, done) => done() }), exact];
  return entry.method === 0 ? [source, exact] : [source, createInflateRaw({ chunkSize: 1 << 20 }), exact];
}

/** The largest entry that is read as a whole. */
const MOST_BYTES = 1 << 26;

/** The whole content of a small entry. */
export async function readEntry(path, entry) {
  if (entry.size > MOST_BYTES) throw new ZipError(`${entry.name}: ${entry.size} bytes, at most ${MOST_BYTES} are read`);
  const chunks = [];
  await run(entry, [
    ...(await openEntry(path, entry)),
    async (stream) => {
      for await (const chunk of stream) chunks.push(chunk);
    },
  ]);
  return Buffer.concat(chunks);
}

/**
 * Write an entry to `target`. The file takes that name only when `check` has accepted its SHA-256 (base64url).
 * @param {(sha256: string) => void} check throws to refuse the content
 * @param {(bytes: number) => void} [onBytes] told of every piece written
 */
export async function extractEntry(path, entry, target, check, onBytes = () => {}) {
  const hash = createHash("sha256");
  const meter = new Transform({
    transform(chunk, _, done) {
      hash.update(chunk);
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    const mode = entry.mode & 0o111 ? 0o755 : 0o644;
    await run(entry, [...(await openEntry(path, entry)), meter, createWriteStream(temporary, { mode })]);
    check(hash.digest("base64url"));
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function run(entry, streams) {
  try {
    await pipeline(streams);
  } catch (error) {
    // zlib's own errors (Z_DATA_ERROR, Z_BUF_ERROR) mean damaged content.
    throw String(error.code).startsWith("Z_") ? new ZipError(`${entry.name}: ${error.message}`) : error;
  }
}
