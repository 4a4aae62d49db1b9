import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { toBytes } from "../../util/protobuf.ts";
import { crc32c, frameRecord, readRecords } from "./tfrecord.ts";

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "tfrecord-"));
  path = join(dir, "records");
});
afterEach(() => rm(dir, { recursive: true }));

const payloads = [Buffer.from("first"), Buffer.alloc(0), Buffer.alloc(70_000, 7), Buffer.from("last")];
const whole = Buffer.concat(payloads.map((payload) => toBytes(frameRecord([payload]))));
async function read(options?: { largest?: number }): Promise<Buffer[]> {
  const records: Buffer[] = [];
  for await (const record of readRecords(path, options)) records.push(Buffer.from(record));
  return records;
}

test("the checksum is that of RFC 3720's examples, in one piece or several", () => {
  expect(crc32c([Buffer.alloc(32)])).toBe(0x8a9136aa);
  expect(crc32c([Buffer.alloc(32, 255)])).toBe(0x62a8ab43);
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  expect(crc32c([ascending])).toBe(0x46dd794e);
  expect(crc32c([ascending.subarray(0, 5), ascending.subarray(5)])).toBe(0x46dd794e);
});

test("a record is the bytes that TensorBoard's own writer makes of it", () => {
  const record = toBytes(frameRecord([Buffer.from("he"), Buffer.from("llo")]));
  expect(Buffer.from(record).toString("hex")).toBe("0500000000000000eab2043e68656c6c6fbb1f1c19");
});

test("records are read back, and large ones can be passed over", async () => {
  await writeFile(path, whole);
  expect(await read()).toEqual(payloads);
  expect(await read({ largest: 5 })).toEqual([payloads[0], payloads[1], payloads[3]]);
});

test("reading ends at a torn record, wherever it is torn", async () => {
  const before = whole.length - 16 - 4;
  for (const size of [before + 1, before + 11, before + 12, before + 15, whole.length - 1]) {
    await writeFile(path, whole);
    await truncate(path, size);
    expect((await read()).map(({ length }) => length)).toEqual([5, 0, 70_000]);
  }
});

test("reading ends at a damaged length or payload", async () => {
  for (const [at, left] of [
    [3, 0],
    [14, 0],
    [5 + 16 + 16 + 12 + 500, 2],
  ] as const) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 1;
    await writeFile(path, damaged);
    expect((await read()).map(({ length }) => length)).toEqual([5, 0].slice(0, left));
  }
});
