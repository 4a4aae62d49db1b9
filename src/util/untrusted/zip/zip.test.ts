import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ZipEntry, zipOf } from "../../../../tests/support/zipFile.ts";
import { UserError } from "../../errors.ts";
import { unpackZip } from "./zip.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zip-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function archive(...entries: ZipEntry[]): Promise<string> {
  const path = join(folder, "export.zip");
  await writeFile(path, zipOf(entries));
  return path;
}

const TWO: ZipEntry[] = [
  { name: "train/", data: "", mode: 0o040755 },
  { name: "train/a.txt", data: "a".repeat(5000) },
  { name: "deep/er/b.txt", data: "" },
  { name: "__MACOSX/train/._a.txt", data: "a Mac's" },
];

describe("an archive", () => {
  it("is unpacked once into a folder beside it, which is another one for another content", async () => {
    const path = await archive(...TWO);
    const first = await unpackZip(path);
    expect(first).toMatch(/export-unpacked-[0-9a-f]{8}$/);
    expect((await readdir(first, { recursive: true })).sort()).toEqual(["deep", "deep/er", "deep/er/b.txt", "train", "train/a.txt"]); // biome-ignore format: one line
    expect(await readFile(join(first, "train/a.txt"), "utf8")).toBe("a".repeat(5000));
    await writeFile(join(first, "mark"), "");
    expect(await unpackZip(path)).toBe(first);
    expect(existsSync(join(first, "mark"))).toBe(true);
    await archive({ name: "train/a.txt", data: "b".repeat(5000) });
    expect(await unpackZip(path)).not.toBe(first);
  });

  it("that two processes unpack at the same time is whole", async () => {
    const path = await archive(...TWO);
    const [first, second] = await Promise.all([unpackZip(path), unpackZip(path)]);
    expect(first).toBe(second);
    expect((await readdir(folder)).sort()).toEqual([first!.slice(folder.length + 1), "export.zip"].sort());
  });
});

describe("an archive that is made to do harm, or damaged, is refused by name, and nothing of it stays", () => {
  const cases: [string, ZipEntry[], RegExp][] = [
    ["a way out of the folder", [{ name: "../out.txt", data: "x" }], /relative path/],
    ["a way out in the middle", [{ name: "a/../../out.txt", data: "x" }], /relative path/],
    ["a way out by backslashes", [{ name: "..\\out.txt", data: "x" }], /relative path/],
    ["an absolute name", [{ name: "/tmp/out.txt", data: "x" }], /absolute path/],
    ["a drive", [{ name: "C:\\out.txt", data: "x" }], /absolute path/],
    ["a symbolic link", [{ name: "a", data: "/etc", mode: 0o120777 }, { name: "a/x", data: "x" }], /a is a link/],
    ["a device", [{ name: "a", data: "", mode: 0o020644 }], /neither a file nor a folder/],
    ["an encrypted entry", [{ name: "a", data: "x", flags: 1 }], /a is encrypted/],
    ["another compression", [{ name: "a", data: "x", method: 12 }], /method \(12\)/],
    ["a name twice", [{ name: "a", data: "x" }, { name: "a", data: "y" }], /a is in it twice/],
    ["a file as folder", [{ name: "a", data: "x" }, { name: "a/b", data: "y" }], /not a folder/],
    ["control characters", [{ name: "a\u001b[2J", data: "x" }], /control characters/],
    ["a wrong checksum", [{ name: "a", data: "x", checksum: 7 }], /a is damaged: its checksum/],
    ["a content that is longer than said", [{ name: "a", data: "x".repeat(999), size: 9 }], /too many bytes/],
    ["a content that is shorter than said", [{ name: "a", data: "x", size: 9 }], /not enough bytes/],
  ]; // biome-ignore format: a row each
  it.each(cases)("%s", async (_, entries, why) => {
    const path = await archive({ name: "first.txt", data: "first" }, ...entries);
    const failed = await unpackZip(path).catch((cause: unknown) => cause);
    expect(failed).toBeInstanceOf(UserError);
    expect((failed as UserError).message).toMatch(why);
    expect((failed as UserError).message).toContain("export");
    expect(await readdir(folder)).toEqual(["export.zip"]);
    expect(existsSync(join(folder, "../out.txt"))).toBe(false);
  });

  it("a file that is no archive, or half of one", async () => {
    const path = await archive(...TWO);
    await writeFile(path, (await readFile(path)).subarray(0, 60));
    await expect(unpackZip(path)).rejects.toThrow(/export\.zip cannot be unpacked/);
    await writeFile(path, "");
    await expect(unpackZip(path)).rejects.toThrow(/export\.zip cannot be unpacked/);
  });

  it("a bomb: what it comes to is counted before anything is written", async () => {
    const path = await archive({ name: "zeros", data: Buffer.alloc(3_000_000) });
    await expect(unpackZip(path, { mostBytes: 1e6 })).rejects.toThrow(
      /comes to more than 1000000 bytes, and itself has/,
    );
    const said = await archive(...Array.from({ length: 3 }, (_, i) => ({ name: `${i}`, data: "x", size: 4e9 })));
    await expect(unpackZip(said)).rejects.toThrow(/comes to more than 2000000000 bytes/);
    const many = await archive(...Array.from({ length: 30 }, (_, i) => ({ name: `${i}`, data: "" })));
    await expect(unpackZip(many, { mostEntries: 20 })).rejects.toThrow(/has 30 entries, and 20 are read at most/);
    expect(await readdir(folder)).toEqual(["export.zip"]);
  });
});
