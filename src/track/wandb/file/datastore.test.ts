import { describe, expect, test } from "vitest";
import { readWandbFile as read } from "../../../../tests/support/wandbFile.ts";
import { frameRecords } from "./datastore.ts";

const BLOCK = 32_768;
const framed = (records: Uint8Array[]) => Buffer.concat([...frameRecords(records)]);
/** Bytes of a length that differ at each place, so that no mixing up can hide. */
const record = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);

test("a file is the bytes that the official writer makes", () => {
  // DataStore.open_for_write, then write b"hello"
  expect(framed([Buffer.from("hello")]).toString("hex")).toBe("3a572642e1be009d23ac8a05000168656c6c6f");
});

describe("records around the end of a block", () => {
  // 7 bytes of the file's header, 7 of the chunk's.
  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 20])("are read back where %i bytes are left in the block", (left) => {
    const records = [record(BLOCK - 14 - left), record(40), record(3)];
    const file = framed(records);
    expect(read(file)).toEqual(records.map((bytes) => Buffer.from(bytes)));
    if (left < 7) expect(file.length).toBe(BLOCK + 47 + 10);
  });
});

test.each([BLOCK - 14, BLOCK - 13, BLOCK, 2 * BLOCK - 21, 2 * BLOCK - 20, 100_000, 3 * BLOCK])(
  "a record of %i bytes is read back from its blocks",
  (length) => {
    const records = [record(length), record(9), record(length)];
    expect(read(framed(records))).toEqual(records.map((bytes) => Buffer.from(bytes)));
  },
);
