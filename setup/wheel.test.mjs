// Archives and wheels, offline: what is read, what is extracted, and what is called damaged.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LIBRARY, wheel } from "./testZip.mjs";
import { extractWheel, isDamage, openWheel, parseRecord, requirements } from "./wheel.mjs";
import { listZip, readEntry } from "./zip.mjs";

let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rfdetr-wheel-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("archives", () => {
  test("stored, deflated and zip64 entries are read whole", async () => {
    const path = wheel(folder);
    const entries = await listZip(path);
    const read = async (name) =>
      readEntry(
        path,
        entries.find((entry) => entry.name === name),
      );
    expect((await read("tensorflow/lib.so")).equals(LIBRARY)).toBe(true);
    expect((await read("tensorflow/a,b.txt")).toString()).toBe("comma");
  });

  test("an archive cut short at any place is called damaged", async () => {
    const path = wheel(folder);
    const whole = readFileSync(path);
    for (const length of [0, 10, 100, whole.length - 30, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, length));
      const error = await listZip(path).catch((e) => e);
      expect(isDamage(error), `${length} bytes: ${error}`).toBe(true);
    }
  });

  test("lies in zip64 fields are called damage, too", async () => {
    const path = wheel(folder);
    const whole = readFileSync(path);
    const name = whole.lastIndexOf("tensorflow/a,b.txt"); // in the directory; its extra field follows
    const field = name + "tensorflow/a,b.txt".length;
    const lies = [
      (bytes) => bytes.writeUInt16LE(8, name - 46 + 30), // the field is cut short
      ...[0, 8, 16].map((at) => (bytes) => bytes.writeBigUInt64LE(2n ** 63n, field + 4 + at)),
      ...[0, 8, 16].map((at) => (bytes) => bytes.writeBigUInt64LE(2n ** 40n, field + 4 + at)),
    ];
    for (const lie of lies) {
      const bytes = Buffer.from(whole);
      lie(bytes);
      writeFileSync(path, bytes);
      const error = await listZip(path)
        .then((entries) => readEntry(path, entries[1]))
        .catch((e) => e);
      expect(isDamage(error), String(error?.stack)).toBe(true);
    }
  });

  test("a flipped byte in compressed data is found", async () => {
    const path = wheel(folder);
    const bytes = readFileSync(path);
    bytes[60] ^= 0x55;
    writeFileSync(path, bytes);
    const error = await openWheel(path)
      .then((w) => extractWheel(w, () => true, join(folder, "out")))
      .catch((e) => e);
    expect(isDamage(error), String(error)).toBe(true);
    expect(existsSync(join(folder, "out", "tensorflow", "lib.so"))).toBe(false);
  });
});

describe("wheels", () => {
  test("RECORD and METADATA are read as PEP 376 and PEP 566 write them", () => {
    const sum = "A".repeat(43);
    expect([...parseRecord(`a/b,sha256=${sum},3\r\n"x,""y""",sha256=${sum},4\nRECORD,,\n`)]).toEqual([
      ["a/b", { sha256: sum, size: 3 }],
      ['x,"y"', { sha256: sum, size: 4 }],
    ]);
    const metadata =
      'Requires-Dist: numpy>=1\nRequires-Dist: nvidia-a-cu12 (<13.0,>=12.5); extra == "and-cuda"\nRequires-Dist: b; extra == "c"\n';
    expect(requirements(metadata, "and-cuda")).toEqual(["nvidia-a-cu12<13.0,>=12.5"]);
  });

  test("only what is selected is extracted, with its mode, and progress ends at the total", async () => {
    const seen = [];
    const opened = await openWheel(wheel(folder));
    const files = await extractWheel(
      opened,
      (name) => name.endsWith(".so"),
      folder,
      (...p) => seen.push(p),
    );
    expect(Object.keys(files)).toEqual(["tensorflow/lib.so"]);
    expect(readFileSync(join(folder, "tensorflow", "lib.so")).equals(LIBRARY)).toBe(true);
    expect(seen.at(-1)).toEqual([LIBRARY.length, LIBRARY.length]);
    expect(readdirSync(join(folder, "tensorflow"))).toEqual(["lib.so"]);
  });

  test.each([
    [
      "whose content is not that of RECORD",
      (files) => (files["tensorflow/lib.so"].data = Buffer.from(LIBRARY.map((b, i) => (i === 7 ? b ^ 1 : b)))),
      /SHA-256/,
    ],
    ["whose size is not that of RECORD", (files) => (files["tensorflow/lib.so"].data = Buffer.from("short")), /size/],
    [
      "that is not in RECORD",
      (files) => (files["tensorflow/extra.so"] = { data: Buffer.from("x") }),
      /not in the wheel's RECORD/,
    ],
    ["that would leave the folder", (files) => (files["../evil"] = { data: Buffer.from("x") }), /RECORD|outside/],
  ])("a file %s is refused and does not appear", async (_, change, message) => {
    const opened = await openWheel(wheel(folder, change));
    const error = await extractWheel(opened, () => true, join(folder, "out")).catch((e) => e);
    expect(isDamage(error)).toBe(true);
    expect(error.message).toMatch(message);
    expect(existsSync(join(folder, "evil"))).toBe(false);
    const left = existsSync(join(folder, "out")) ? readdirSync(join(folder, "out"), { recursive: true }) : [];
    expect(left.filter((name) => name.endsWith(".tmp") || name.endsWith("extra.so"))).toEqual([]);
  });
});
