// Reading and writing the zip archives that torch.save makes (PKWARE APPNOTE; stored or deflated entries, zip64).

import { promisify } from "node:util";
import { crc32, inflateRaw } from "node:zlib";
import { UserError } from "../../util/errors.ts";
import { damaged, type FileReader, quoted } from "../fileReader.ts";

export type ZipEntry = {
  name: string;
  deflated: boolean;
  compressedSize: number;
  size: number;
  crc: number;
  headerOffset: number;
};

const MAX_DIRECTORY = 64 * 2 ** 20;
const U32 = 0xffffffff;

/**
 * The entries of an archive by name, from its central directory. Nothing is ever extracted to a path, so names are only keys.
 * The sizes are checked: entries together are no longer than the file, and what deflated ones unpack to is bounded.
 */
export async function readZipDirectory(file: FileReader): Promise<Map<string, ZipEntry>> {
  const { offset, length, count } = await findDirectory(file);
  if (length > MAX_DIRECTORY) throw damaged(file.path, `its zip directory claims ${length} bytes`);
  const bytes = await file.read(offset, length);
  const view = new DataView(bytes.buffer);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  let [stored, unpacked] = [0, 0];
  for (let i = 0; i < count; i++) {
    if (at + 46 > length || view.getUint32(at, true) !== 0x02014b50) {
      throw damaged(file.path, "its zip directory is not valid");
    }
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => view.getUint16(at + o, true)) as [
      number,
      number,
      number,
    ];
    const end = at + 46 + nameLength + extraLength + commentLength;
    if (end > length) throw damaged(file.path, "its zip directory is not valid");
    const entry = directoryEntry(file, view, at, nameLength, extraLength);
    if (entries.has(entry.name)) throw damaged(file.path, `its zip entry ${quoted(entry.name)} is there twice`);
    entries.set(entry.name, entry);
    stored += entry.compressedSize;
    if (entry.deflated) unpacked += entry.size;
    at = end;
  }
  if (stored > file.size) throw damaged(file.path, "its zip entries overlap");
  // Weights shrink by a tenth, not by a thousand: what would unpack to so much more is a bomb.
  if (unpacked > 64 * 2 ** 20 + 20 * file.size) {
    throw damaged(file.path, `its zip entries would unpack to ${unpacked} bytes`);
  }
  return entries;
}

async function findDirectory(file: FileReader) {
  const tailLength = Math.min(file.size, 22 + 0xffff);
  const tailStart = file.size - tailLength;
  const tail = await file.read(tailStart, tailLength);
  const view = new DataView(tail.buffer);
  let at = tailLength - 22;
  while (
    at >= 0 &&
    !(view.getUint32(at, true) === 0x06054b50 && at + 22 + view.getUint16(at + 20, true) === tailLength)
  ) {
    at--;
  }
  if (at < 0) throw damaged(file.path, "the end of the zip archive is missing");
  let count = view.getUint16(at + 10, true);
  let length = view.getUint32(at + 12, true);
  let offset = view.getUint32(at + 16, true);
  const hasLocator = at >= 20 && view.getUint32(at - 20, true) === 0x07064b50;
  if (hasLocator && (count === 0xffff || length === U32 || offset === U32)) {
    const record = new DataView((await file.read(u64(view, at - 20 + 8), 56)).buffer);
    if (record.getUint32(0, true) !== 0x06064b50) throw damaged(file.path, "its zip64 record is not valid");
    count = u64(record, 32);
    length = u64(record, 40);
    offset = u64(record, 48);
  }
  return { offset, length, count };
}

function u64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true)); // beyond 2^53 it is inexact, but then it is beyond any file, too
}

function directoryEntry(
  file: FileReader,
  view: DataView,
  at: number,
  nameLength: number,
  extraLength: number,
): ZipEntry {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const name = new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, nameLength));
  if (flags & 1) throw new UserError(`Cannot read ${file.path}: the zip entry ${quoted(name)} is encrypted.`);
  if (method !== 0 && method !== 8) {
    throw new UserError(`Cannot read ${file.path}: the zip entry ${quoted(name)} uses compression method ${method}.`, {
      hint: "Save the weights again with torch.save, which stores or deflates.",
    });
  }
  const entry = {
    name,
    deflated: method === 8,
    crc: view.getUint32(at + 16, true),
    compressedSize: view.getUint32(at + 20, true),
    size: view.getUint32(at + 24, true),
    headerOffset: view.getUint32(at + 42, true),
  };
  // zip64: the fields that are all ones stand, in this order, in extra field 1.
  const extraEnd = at + 46 + nameLength + extraLength;
  for (let extra = at + 46 + nameLength; extra + 4 <= extraEnd; ) {
    const id = view.getUint16(extra, true);
    const next = extra + 4 + view.getUint16(extra + 2, true);
    if (id === 1) {
      let field = extra + 4;
      for (const key of ["size", "compressedSize", "headerOffset"] as const) {
        if (entry[key] !== U32) continue;
        if (field + 8 > Math.min(next, extraEnd)) throw damaged(file.path, "its zip64 fields are not valid");
        entry[key] = u64(view, field);
        field += 8;
      }
    }
    extra = next;
  }
  if (!entry.deflated && entry.size !== entry.compressedSize) {
    throw damaged(file.path, `the sizes of its zip entry ${quoted(name)} contradict each other`);
  }
  return entry;
}

const inflate = promisify(inflateRaw);

/** The content of one entry, checked against its size and checksum. */
export async function readZipEntry(file: FileReader, entry: ZipEntry): Promise<Uint8Array> {
  const header = new DataView((await file.read(entry.headerOffset, 30)).buffer);
  if (header.getUint32(0, true) !== 0x04034b50) {
    throw damaged(file.path, `its zip entry ${quoted(entry.name)} is not where the directory says`);
  }
  const start = entry.headerOffset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  let bytes = await file.read(start, entry.compressedSize);
  if (entry.deflated) {
    try {
      const unpacked = await inflate(bytes, { maxOutputLength: Math.max(1, entry.size) });
      bytes = new Uint8Array(unpacked); // a copy: the pool of Buffer gives unaligned views
    } catch {
      throw damaged(file.path, `its zip entry ${quoted(entry.name)} does not unpack`);
    }
    if (bytes.length !== entry.size) throw damaged(file.path, `its zip entry ${quoted(entry.name)} has a wrong size`);
  }
  // torch.serialization.set_crc32_options(False) leaves the checksums 0.
  if (entry.crc !== 0 && crc32(bytes) !== entry.crc) {
    throw damaged(file.path, `the checksum of its zip entry ${quoted(entry.name)} is wrong`);
  }
  return bytes;
}

/**
 * A zip archive of stored entries, as parts to write one after another. Each entry's data starts at a multiple of `align`
 * bytes. No clock goes in: the same entries give the same bytes.
 */
export function zipStored(entries: { name: string; data: Uint8Array }[], align: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const { name, data } of entries) {
    const nameBytes = new TextEncoder().encode(name);
    const crc = crc32(data);
    const unpadded = at + 30 + nameBytes.length + 4;
    const padding = (align - (unpadded % align)) % align;

    const local = new Uint8Array(unpadded - at + padding);
    const view = new DataView(local.buffer);
    view.setUint32(0, 0x04034b50, true);
    commonFields(view, 4, crc, data.length, nameBytes.length);
    view.setUint16(28, 4 + padding, true);
    local.set(nameBytes, 30);
    view.setUint16(30 + nameBytes.length, 0x4246, true); // the extra field that torch pads with, too
    view.setUint16(32 + nameBytes.length, padding, true);
    local.fill(0x5a, 34 + nameBytes.length);
    parts.push(local, data);

    const central = new Uint8Array(46 + nameBytes.length);
    const centralView = new DataView(central.buffer);
    centralView.setUint32(0, 0x02014b50, true);
    commonFields(centralView, 6, crc, data.length, nameBytes.length);
    centralView.setUint32(42, at, true);
    central.set(nameBytes, 46);
    directory.push(central);
    at += local.length + data.length;
  }
  const directoryLength = directory.reduce((sum, part) => sum + part.length, 0);
  if (at + directoryLength >= U32 || entries.length >= 0xffff) throw new Error("too large for a zip without zip64");
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, entries.length, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(12, directoryLength, true);
  end.setUint32(16, at, true);
  return [...parts, ...directory, new Uint8Array(end.buffer)];
}

/** What local header and directory have in common; in the directory "version made by" stands before it. */
function commonFields(view: DataView, at: number, crc: number, length: number, nameLength: number): void {
  view.setUint16(at, 20, true); // version needed
  view.setUint16(at + 2, 0x0800, true); // names are UTF-8
  view.setUint16(at + 8, 0x21, true); // 1 January 1980
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, length, true);
  view.setUint32(at + 18, length, true);
  view.setUint16(at + 22, nameLength, true);
}
