// TFRecord: length-prefixed records with checksums, what TensorBoard's event files are made of.
// https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details

import type { FileHandle } from "node:fs/promises";
import { byteLength, type Encoded } from "../../util/protobuf.ts";
import { openRegular } from "../../util/untrusted/regular.ts";

const HEADER = 12;
const READ_BYTES = 1 << 16;

/** A record around a payload: length, checksum of the length, payload, checksum of the payload. */
export function frameRecord(payload: Encoded): Encoded {
  const header = Buffer.alloc(HEADER);
  header.writeBigUInt64LE(BigInt(byteLength(payload)));
  header.writeUInt32LE(maskedCrc32c([header.subarray(0, 8)]), 8);
  const footer = Buffer.alloc(4);
  footer.writeUInt32LE(maskedCrc32c(payload));
  return [header, ...payload, footer];
}

/**
 * The payloads of a file's records in their order; those above `largest` bytes are left out unread. Ends at the first
 * record that is torn or damaged, as other readers do.
 */
export async function* readRecords(
  path: string,
  { largest = Number.POSITIVE_INFINITY }: { largest?: number } = {},
): AsyncGenerator<Uint8Array> {
  const file = await openRegular(path, { links: false });
  try {
    const take = bufferedReader(file, (await file.stat()).size);
    for (let at = 0; ; ) {
      const header = await take(at, HEADER);
      if (!header || maskedCrc32c([header.subarray(0, 8)]) !== header.readUInt32LE(8)) return;
      const length = Number(header.readBigUInt64LE());
      if (length <= largest) {
        const body = await take(at + HEADER, length + 4);
        const payload = body?.subarray(0, length);
        if (!body || !payload || maskedCrc32c([payload]) !== body.readUInt32LE(length)) return;
        yield payload;
      }
      at += HEADER + length + 4;
    }
  } finally {
    await file.close();
  }
}

/** Reads of a file's bytes from near each other, as few requests; undefined beyond the end. */
function bufferedReader(file: FileHandle, size: number) {
  let [buffer, start] = [Buffer.alloc(0), 0];
  return async (position: number, length: number): Promise<Buffer | undefined> => {
    if (length > size - position) return undefined;
    if (position < start || position + length > start + buffer.length) {
      const wanted = Buffer.alloc(Math.min(size - position, Math.max(length, READ_BYTES)));
      const { bytesRead } = await file.read(wanted, 0, wanted.length, position);
      [buffer, start] = [wanted.subarray(0, bytesRead), position];
    }
    const from = position - start;
    return length > buffer.length - from ? undefined : buffer.subarray(from, from + length);
  };
}

/** CRC-32C (Castagnoli, reflected) of each byte's value. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
});

/** CRC-32C of pieces that follow each other. */
export function crc32c(pieces: Encoded): number {
  let crc = 0xffffffff;
  for (const piece of pieces) {
    for (let i = 0; i < piece.length; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ piece[i]!) & 255]!;
  }
  return ~crc >>> 0;
}

/** The checksum as records hold it: rotated and shifted, since a checksum of data that hold checksums is weak. */
function maskedCrc32c(pieces: Encoded): number {
  const crc = crc32c(pieces);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
