// A reader of .wandb files, by the format's rules and not by the writer's code.

import { crc32 } from "node:zlib";
import { expect } from "vitest";
import { readFields } from "../../src/util/protobuf.ts";

const BLOCK = 32_768;

/** The records of a file; every checksum, length and kind of chunk must be right. */
export function readWandbFile(file: Buffer): Buffer[] {
  expect(file.subarray(0, 7).toString("hex")).toBe("3a572642e1be00");
  const records: Buffer[] = [];
  let open: Buffer[] | undefined;
  for (let at = 7; at < file.length; ) {
    const left = BLOCK - (at % BLOCK);
    if (left < 7) {
      expect(file.subarray(at, at + left)).toEqual(Buffer.alloc(left));
      at += left;
      continue;
    }
    const [sum, length, type] = [file.readUInt32LE(at), file.readUInt16LE(at + 4), file[at + 6]!];
    expect(7 + length).toBeLessThanOrEqual(left);
    const data = file.subarray(at + 7, at + 7 + length);
    expect(sum).toBe(crc32(Buffer.concat([Buffer.of(type), data])));
    expect(open === undefined).toBe(type === 1 || type === 2);
    open = [...(open ?? []), data];
    if (type === 1 || type === 4) {
      records.push(Buffer.concat(open));
      open = undefined;
    }
    at += 7 + length;
  }
  expect(open).toBeUndefined();
  return records;
}

const KINDS: Record<number, string> = {
  ...{ 2: "history", 3: "summary", 6: "files", 8: "artifact", 17: "run", 18: "exit", 21: "header" },
};

/** Kind of each record with its keys and values; those of other kinds than history and summary are empty. */
export function readWandbValues(file: Buffer): [kind: string, values: Record<string, unknown>][] {
  return readWandbFile(file).map((record, i) => {
    const fields = [...readFields(record)];
    expect(fields[0]).toEqual({ field: 1, value: BigInt(i + 1) });
    const { field, value } = fields.find(({ field }) => field in KINDS)!;
    if (field !== 2 && field !== 3) return [KINDS[field]!, {}];
    const items = [...readFields(value as Uint8Array)].filter((item) => item.field === 1);
    return [KINDS[field]!, Object.fromEntries(items.map((item) => keyAndValue(item.value as Uint8Array)))];
  });
}

function keyAndValue(item: Uint8Array): [string, unknown] {
  const parts = new Map([...readFields(item)].map(({ field, value }) => [field, Buffer.from(value as Uint8Array)]));
  return [parts.get(1)!.toString(), JSON.parse(parts.get(16)!.toString())];
}
