// Reading files that others may have made: no pipe or device, nothing beyond a stated size, no link out of a folder.

import { isUtf8 } from "node:buffer";
import { constants, lstatSync, type Stats } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { UserError } from "../errors.ts";
import { fileError } from "../files.ts";

export type ReadOptions = {
  /** Bytes that such a file has at most. */
  most: number;
  /** What such a file is, for the message where it is larger: "recipe". */
  kind?: string;
  /** A folder below which no part of the path may be a link: what it holds is then really in it. */
  within?: string;
};

/**
 * The whole content of a regular file. Throws a UserError that names the file where it is missing, something else (opening
 * a pipe would wait for ever), larger than `most`, or reached by a link below `within`.
 */
export async function readRegular(
  path: string,
  { most, kind = "file of its kind", within }: ReadOptions,
): Promise<Buffer> {
  if (within !== undefined) checkInside(path, within);
  const file = await openRegular(path, { links: within === undefined });
  try {
    const { size } = await file.stat();
    if (size > most)
      throw new UserError(`${path} is ${size} bytes long: that is no ${kind}, which has ${most} at most.`);
    const bytes = Buffer.alloc(size); // never more, whatever is appended meanwhile
    for (let done = 0; done < size; ) {
      const { bytesRead } = await file.read(bytes, done, size - done, done);
      if (bytesRead === 0) return bytes.subarray(0, done);
      done += bytesRead;
    }
    return bytes;
  } catch (cause) {
    throw cause instanceof UserError ? cause : fileError(path, "read", cause);
  } finally {
    await file.close();
  }
}

/** The same as text in UTF-8, whatever is in it: a file that a crash has cut may end within a letter. */
export async function readRegularText(path: string, options: ReadOptions): Promise<string> {
  return (await readRegular(path, options)).toString("utf8");
}

/** The same as text in UTF-8. Throws a UserError where it is in another encoding: names would be others. */
export async function readUtf8(path: string, options: ReadOptions): Promise<string> {
  return utf8Of(await readRegular(path, options), path);
}

/** Bytes of the file `path` as text in UTF-8. Throws as `readUtf8`. */
export function utf8Of(bytes: Buffer, path: string): string {
  if (!isUtf8(bytes)) throw new UserError(`${path} is not a text file in UTF-8.`, { hint: "Save it in UTF-8." });
  return bytes.toString("utf8");
}

/** Open a regular file for reading, with `links: false` only where the last part of the path is no link. Throws a UserError. */
export async function openRegular(path: string, { links = true }: { links?: boolean } = {}): Promise<FileHandle> {
  // Without O_NONBLOCK the opening of a pipe waits for a writer. Windows has neither flag nor such files.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (links ? 0 : (constants.O_NOFOLLOW ?? 0));
  let file: FileHandle | undefined;
  try {
    file = await open(path, flags);
    const facts = await file.stat();
    if (facts.isFile()) return file;
    throw facts.isDirectory() ? fileError(path, "read", { code: "EISDIR" }) : notRegular(path, facts);
  } catch (cause) {
    await file?.close();
    if (["ENXIO", "ENODEV"].includes((cause as NodeJS.ErrnoException).code ?? "")) throw notRegular(path);
    throw cause instanceof UserError ? cause : fileError(path, "read", cause);
  }
}

/**
 * Throws a UserError where `path` does not lie below `folder`, or where a part of it below `folder` is a link, whether or
 * not that leads anywhere, a pipe or a device. What is not there yet is right: check before a file of a folder that others
 * may have made is read, made or appended to. The folder itself may be a link: it is what the user named.
 */
export function checkInside(path: string, folder: string): void {
  if (!isWithin(path, folder) || relative(folder, path) === "")
    throw new UserError(`${path} does not lie in the folder ${folder}.`);
  let at = folder;
  for (const part of relative(folder, path).split(sep)) {
    at = join(at, part);
    let facts: Stats;
    try {
      facts = lstatSync(at);
    } catch (cause) {
      if (isMissing(cause)) return;
      throw fileError(at, "read", cause);
    }
    if (facts.isSymbolicLink())
      throw new UserError(`${at} is a link, which may lead out of ${folder}: it is not followed.`, {
        hint: "If you trust it, put what it leads to in its place.",
      });
    if (!facts.isFile() && !facts.isDirectory()) throw notRegular(at, facts);
  }
}

/** Throws a UserError where the real place of `path` is not inside that of `folder`: links below it may lead about in it, not out of it. */
export async function refuseEscape(path: string, folder: string): Promise<void> {
  let real: string;
  let realFolder: string;
  try {
    [real, realFolder] = await Promise.all([realpath(path), realpath(folder)]);
  } catch (cause) {
    throw fileError(path, "read", cause);
  }
  if (!isWithin(real, realFolder))
    throw new UserError(`${path} is a link that leads out of its folder ${folder} (to ${real}).`, {
      hint: "Copy what it leads to in its place (cp -rL copies a whole folder so), or name the folder where it really is.",
    });
}

/** Whether a path is that of a folder or lies below it, by the names alone: links are not looked at. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** Whether an error, or its cause, says that there is no such file. */
export function isMissing(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } };
  return code === "ENOENT" || cause?.code === "ENOENT";
}

function notRegular(path: string, facts?: Stats): UserError {
  const kind =
    facts === undefined ? "a socket" : facts.isFIFO() ? "a pipe" : facts.isSocket() ? "a socket" : "a device";
  return new UserError(`Cannot read ${path}: it is ${kind}, not a regular file.`, {
    hint: "Copy its content into a file.",
  });
}
