import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileError, sha256File } from "../files.ts";
import { checkInside, isMissing, readRegular, readRegularText } from "./regular.ts";

const folder = () => mkdtempSync(join(tmpdir(), "regular-"));

test("a file is read whole, and not where it is larger than it may be", async () => {
  const path = join(folder(), "a.txt");
  writeFileSync(path, "größer");
  expect(await readRegularText(path, { most: 8 })).toBe("größer");
  await expect(readRegular(path, { most: 7 })).rejects.toThrow(
    `${path} is 8 bytes long: that is no file of its kind, which has 7 at most.`,
  );
});

test.skipIf(process.platform === "win32")("a pipe, a device and a folder are refused at once", async () => {
  const dir = folder();
  execFileSync("mkfifo", [join(dir, "pipe")]);
  symlinkSync("/dev/zero", join(dir, "zeros"));
  for (const name of ["pipe", "zeros"])
    await expect(readRegular(join(dir, name), { most: 100 })).rejects.toThrow(
      /it is a (pipe|device), not a regular file/,
    );
  await expect(readRegular(dir, { most: 100 })).rejects.toThrow(/it is a folder, not a file/);
  for (const name of ["pipe", "zeros", ""])
    await expect(sha256File(join(dir, name))).rejects.toThrow(/it is not a regular file/);
});

test("below a folder no part of a path is a link, even one that leads nowhere; the folder itself may be one", async () => {
  const [dir, elsewhere] = [folder(), folder()];
  writeFileSync(join(elsewhere, "secret"), "s");
  mkdirSync(join(dir, "own"));
  writeFileSync(join(dir, "own", "file"), "f");
  symlinkSync(join(elsewhere, "secret"), join(dir, "own", "link"));
  symlinkSync(join(elsewhere, "nothing"), join(dir, "dangling"));
  symlinkSync(elsewhere, join(dir, "folder"));
  for (const path of ["own/link", "dangling", "folder/secret"])
    await expect(readRegular(join(dir, path), { most: 9, within: dir })).rejects.toThrow(
      /is a link, which may lead out/,
    );
  for (const path of ["../x", "/etc/passwd"].map((one) => (one[0] === "/" ? one : join(dir, one))))
    expect(() => checkInside(path, dir)).toThrow(/does not lie in the folder/);
  symlinkSync(dir, join(elsewhere, "run"));
  const run = join(elsewhere, "run");
  expect(await readRegularText(join(run, "own", "file"), { most: 9, within: run })).toBe("f");
  expect(() => checkInside(join(dir, "not", "there", "yet"), dir)).not.toThrow();
});

test("a missing file is a UserError that can be known again", async () => {
  const error: unknown = await readRegular(join(folder(), "no"), { most: 1 }).catch((one: unknown) => one);
  expect(error).toMatchObject({ name: "UserError" });
  expect(isMissing(error)).toBe(true);
});

test.each(["ENAMETOOLONG", "EMFILE", "ENFILE", "EIO", "ENOTDIR", "ELOOP", "EBUSY", "ENODEV"])(
  "%s is explained",
  (code) => {
    expect(fileError("some/file", "read", { code })).toMatchObject({ name: "UserError", hint: expect.any(String) });
  },
);
