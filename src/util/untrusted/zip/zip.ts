// Zip files of others, unpacked into a folder of their own: no entry leads out of it, none is a link, and what they come to is bounded.

import { createHash, randomBytes } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { UserError } from "../../errors.ts";
import { fileError } from "../../files.ts";
import { visible } from "../../visible.ts";
import { isWithin, openRegular } from "../regular.ts";

export type UnpackOptions = {
  /** Entries that an archive has at most. Default a million. */
  mostEntries?: number;
  /** Bytes that all entries come to at most, and so many times the archive's own where that is more. Default 2 GB and 100. */
  mostBytes?: number;
  mostTimes?: number;
};

/** What a Mac adds for itself. */
const FOR_MACS = /^__MACOSX\/|(^|\/)\.DS_Store$/;

/**
 * The folder beside an archive that holds what is in it: `export-unpacked-1a2b3c4d` of `export.zip`, with a sum of the entries'
 * names, sizes and checksums. It is made where it is not there, and appears whole or not at all. Throws a UserError that names
 * the archive, and the entry, where it is damaged, encrypted or larger than the bounds, or an entry is a link or leads out.
 */
export async function unpackZip(path: string, options: UnpackOptions = {}): Promise<string> {
  await (await openRegular(path)).close(); // opening a pipe would wait for ever
  let zip: ZipFile | undefined;
  try {
    zip = await openPromise(path, { autoClose: false });
    const { entries, sum } = await listEntries(zip, path, options);
    const folder = `${path.replace(/\.zip$/i, "")}-unpacked-${sum.slice(0, 8)}`;
    if (!existsSync(folder)) await unpackInto(folder, { zip, path, entries });
    return folder;
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const known = fileError(path, "read", cause);
    if (known instanceof UserError) throw known;
    throw faulty(
      path,
      visible((cause as Error).message)
        .replace(/\.$/, "")
        .slice(0, 200),
      cause,
    );
  } finally {
    zip?.close();
  }
}

function faulty(path: string, why: string, cause?: unknown): UserError {
  return new UserError(`${path} cannot be unpacked: ${why}.`, {
    hint: "Export or download it again; or unpack it yourself and name the folder.",
    cause,
  });
}

/** All entries, looked at before anything is written, and a sum of them. */
async function listEntries(
  zip: ZipFile,
  path: string,
  { mostEntries = 1_000_000, mostBytes = 2e9, mostTimes = 100 }: UnpackOptions,
): Promise<{ entries: Entry[]; sum: string }> {
  if (zip.entryCount > mostEntries) throw faulty(path, `it has ${zip.entryCount} entries, and ${mostEntries} are read at most`); // biome-ignore format: one line
  const most = Math.max(mostBytes, mostTimes * zip.fileSize);
  const hash = createHash("sha256");
  const entries: Entry[] = [];
  const names = new Set<string>();
  let bytes = 0;
  for await (const entry of zip.eachEntry()) {
    const { fileName: name, uncompressedSize, crc32 } = entry;
    if (FOR_MACS.test(name)) continue;
    const kind = (entry.externalFileAttributes >>> 16) & 0o170000;
    const why =
      kind === 0o120000 ? "is a link" : ![0, 0o100000, 0o040000].includes(kind) ? "is neither a file nor a folder" : entry.isEncrypted() ? "is encrypted" : !entry.canDecodeFileData() ? `is compressed by a method (${entry.compressionMethod}) that is not read` : /\p{Cc}/u.test(name) ? "has a name with control characters" : names.has(name) ? "is in it twice" : null; // biome-ignore format: one line
    if (why !== null) throw faulty(path, `${visible(name)} ${why}`);
    names.add(name);
    bytes += uncompressedSize;
    if (bytes > most) throw faulty(path, `it comes to more than ${most} bytes, and itself has ${zip.fileSize}`);
    hash.update(JSON.stringify([name, uncompressedSize, crc32]));
    entries.push(entry);
  }
  return { entries, sum: hash.digest("hex") };
}

async function unpackInto(
  folder: string,
  { zip, path, entries }: { zip: ZipFile; path: string; entries: readonly Entry[] },
): Promise<void> {
  const bytes = entries.reduce((sum, { uncompressedSize }) => sum + uncompressedSize, 0);
  const { bavail, bsize } = await statfs(dirname(path));
  if (bavail * bsize < bytes)
    throw new UserError(`${path} comes to ${bytes} bytes, and ${dirname(path)} has ${bavail * bsize} left.`, {
      hint: "Free some space, or put it on another disk.",
    });
  const temporary = `${folder}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await mkdir(temporary);
    const made = new Set<string>();
    for (const entry of entries) await writeEntry(temporary, entry, { zip, path, made });
    await rename(temporary, folder).catch(async (cause) => {
      if (!(await stat(folder).catch(() => null))) throw cause; // another process was as quick
    });
  } catch (cause) {
    throw cause instanceof UserError ? cause : fileError(temporary, "write", cause);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function writeEntry(
  folder: string,
  entry: Entry,
  { zip, path, made }: { zip: ZipFile; path: string; made: Set<string> },
): Promise<void> {
  const target = join(folder, entry.fileName);
  if (!isWithin(target, folder)) throw faulty(path, `${visible(entry.fileName)} leads out of it`);
  const isFolder = entry.fileName.endsWith("/");
  const parent = isFolder ? target : dirname(target);
  if (!made.has(parent)) await mkdir(parent, { recursive: true });
  made.add(parent);
  if (isFolder) return;
  let sum = 0;
  const stream = await zip.openReadStreamPromise(entry); // checks the size
  const summed = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      sum = crc32(chunk, sum);
      yield chunk;
    }
  };
  await pipeline(stream, summed, createWriteStream(target, { flags: "wx", mode: 0o644 }));
  if (sum !== entry.crc32) throw faulty(path, `${visible(entry.fileName)} is damaged: its checksum is another one`);
}
