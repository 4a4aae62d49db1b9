// The framing of .wandb files: records cut into chunks that do not cross blocks of 32 KiB, each chunk with a checksum.
// As wandb/sdk/internal/datastore.py reads it; the format is LevelDB's log with plain CRC-32 and a header.

import { crc32 } from "node:zlib";

const BLOCK = 32_768;
const CHUNK_HEADER = 7;
const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4];

/** The bytes of a file with these records, in pieces; a record's pieces follow each other. */
export function* frameRecords(records: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield Buffer.from([...Buffer.from(":W&B"), 0xe1, 0xbe, 0]); // magic number 0xBEE1, version 0
  let at = CHUNK_HEADER; // the file's header is as long as a chunk's, and part of the first block
  for (const record of records) {
    let from = 0;
    for (let begins = true; begins || from < record.length; begins = false) {
      let room = BLOCK - (at % BLOCK);
      if (room < CHUNK_HEADER) {
        yield Buffer.alloc(room);
        at += room;
        room = BLOCK;
      }
      const data = record.subarray(from, from + room - CHUNK_HEADER);
      const ends = from + data.length === record.length;
      const type = begins ? (ends ? FULL : FIRST) : ends ? LAST : MIDDLE;
      yield chunkHeader(data, type!);
      yield data;
      from += data.length;
      at += CHUNK_HEADER + data.length;
    }
  }
}

function chunkHeader(data: Uint8Array, type: number): Uint8Array {
  const header = Buffer.alloc(CHUNK_HEADER);
  header.writeUInt32LE(crc32(data, crc32(Buffer.of(type))));
  header.writeUInt16LE(data.length, 4);
  header[6] = type;
  return header;
}
