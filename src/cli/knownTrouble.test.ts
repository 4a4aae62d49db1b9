import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../util/errors.ts";
import { fromThrown, toThrown } from "../util/threads/thread.ts";
import { knownTrouble } from "./knownTrouble.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "trouble-"));
  writeFileSync(join(folder, "file"), "");
  for (const name of ["full", "full/x", "other"]) mkdirSync(join(folder, name));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const thrownBy = (work: () => unknown): Error => {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  return expect.unreachable();
};
const system = (code: string, message: string, more: object = {}) =>
  Object.assign(new Error(`${code}: ${message}`), { code, ...more });

describe("what the system says is no bug", () => {
  test.each<[string, (at: string) => unknown, RegExp]>([
    ["a missing file", (at) => readFileSync(join(at, "none")), /^Cannot read .*none: no such file/],
    [
      "a file in place of a folder",
      (at) => writeFileSync(join(at, "file", "x"), ""),
      /file\/x: a part of the path is a file/,
    ],
    [
      "a name that is too long",
      (at) => mkdirSync(join(at, "n".repeat(300))),
      /^Cannot write .*nnn: the name is too long/,
    ],
    [
      "a folder that another process fills",
      (at) => renameSync(join(at, "other"), join(at, "full")),
      /^Cannot write .*full: the folder is not empty/,
    ],
  ])("%s", (_, work, message) => {
    const known = knownTrouble(thrownBy(() => work(folder)));
    expect(known?.message).toMatch(message);
    expect(known?.hint).toBeTruthy();
  });

  test.each([
    [
      "ENOSPC",
      "no space left on device, write",
      { syscall: "write" },
      "Cannot write a file: no space left on the disk.",
    ],
    ["EIO", "i/o error, read", { syscall: "read" }, "Cannot read a file: the disk or the connection to it fails."],
    [
      "EMFILE",
      "too many open files, open '/x'",
      { syscall: "open", path: "/x" },
      "Cannot read /x: too many files are open.",
    ],
  ])("%s", (code, message, more, expected) => {
    expect(knownTrouble(system(code, message, more))?.message).toBe(expected);
  });

  test("also in a cause, and from a thread, where codes are lost", async () => {
    const error = await readFile(join(folder, "none")).catch((cause) => cause);
    expect(knownTrouble(new Error("reading broke off", { cause: error }))?.message).toMatch(/no such file/);
    expect(knownTrouble(fromThrown(toThrown(error)))?.message).toMatch(/Cannot read .*none: no such file/);
  });
});

test.each([
  ["Array buffer allocation failed", RangeError],
  ["OOM when allocating tensor with shape[16,3900,6,64] and type float", Error],
])("%s: there is not enough memory", (message, Kind) => {
  expect(knownTrouble(new Kind(message))).toMatchObject({ message: expect.stringMatching(/not enough memory/) });
});

test("a package that is missing or for another system is one to install again", () => {
  const missing = system("ERR_MODULE_NOT_FOUND", "Cannot find package 'zod' imported from /x/dist/a.js");
  expect(knownTrouble(missing)?.hint).toMatch(/npm install/);
  const foreign = new Error('Could not load the "sharp" module using the linux-x64 runtime\nPossible solutions: ...');
  expect(knownTrouble(foreign)?.message).toMatch(/for another system: Could not load the "sharp" module/);
});

test("a path with a null byte is named as such", () => {
  expect(knownTrouble(thrownBy(() => readFileSync("a\0b")))?.message).toMatch(/null byte/);
});

test("a user's error is passed on, and what we did wrong stays a bug", () => {
  const own = new UserError("no");
  expect(knownTrouble(new Error("outer", { cause: own }))).toBe(own);
  for (const bug of [new TypeError("x is not a function"), new RangeError("Invalid array length"), "text", undefined])
    expect(knownTrouble(bug)).toBeUndefined();
});
