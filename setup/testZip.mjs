// Zip archives and wheels made by hand, for the tests.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";

/** A zip archive made by hand. Each file: name -> { data, store, zip64, mode }. */
export function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [name, { data, store = false, zip64 = false, mode = 0o644 }] of Object.entries(files)) {
    const body = store ? data : deflateRawSync(data);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(store ? 0 : 8, 8);
    local.writeUInt32LE(crc32(data), 14);
    local.writeUInt16LE(Buffer.byteLength(name), 26);
    const extra = Buffer.alloc(zip64 ? 28 : 0);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(store ? 0 : 8, 10);
    entry.writeUInt32LE(crc32(data), 16);
    const numbers = [data.length, body.length, offset];
    if (zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      numbers.forEach((value, i) => {
        extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
      });
    }
    entry.writeUInt32LE(zip64 ? 0xffffffff : body.length, 20);
    entry.writeUInt32LE(zip64 ? 0xffffffff : data.length, 24);
    entry.writeUInt16LE(Buffer.byteLength(name), 28);
    entry.writeUInt16LE(extra.length, 30);
    entry.writeUInt32LE((mode << 16) >>> 0, 38);
    entry.writeUInt32LE(zip64 ? 0xffffffff : offset, 42);
    parts.push(local, Buffer.from(name), body);
    directory.push(entry, Buffer.from(name), extra);
    offset += 30 + Buffer.byteLength(name) + body.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

/** What a wheel that is made here has as its library. */
export const LIBRARY = Buffer.from("a library ".repeat(5000));

/** A wheel in `folder` with two files; `change` may spoil the files after RECORD was made. */
export function wheel(folder, change = () => {}) {
  const files = {
    "tensorflow/lib.so": { data: LIBRARY, mode: 0o755 },
    "tensorflow/a,b.txt": { data: Buffer.from("comma"), store: true, zip64: true },
  };
  const hash = (data) => createHash("sha256").update(data).digest("base64url");
  const record = Object.entries(files).map(
    ([name, { data }]) => `${name.includes(",") ? `"${name}"` : name},sha256=${hash(data)},${data.length}`,
  );
  change(files);
  files["tf-1.dist-info/METADATA"] = {
    data: Buffer.from('Requires-Dist: nvidia-x-cu12<13.0,>=12.5; extra == "and-cuda"\n'),
  };
  files["tf-1.dist-info/RECORD"] = { data: Buffer.from(`${record.join("\r\n")}\r\n`) };
  const path = join(folder, "tf.whl");
  writeFileSync(path, zip(files));
  return path;
}
