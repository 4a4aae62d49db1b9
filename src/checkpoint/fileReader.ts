// Reading parts of a file that is not trusted: every range is checked against the file's size before memory is taken for it.

import { stat } from "node:fs/promises";
import { UserError } from "../util/errors.ts";
import { fileError } from "../util/files.ts";
import { openRegular } from "../util/untrusted/regular.ts";

/** A file that is open for reading. `read` returns `length` bytes at `offset` in memory of their own. */
export type FileReader = {
  path: string;
  size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
};

const CHUNK = 2 ** 30; // one read call takes no more than 2 GiB

/** Open a regular file, use it, close it. Throws a UserError where it is missing, unreadable or no regular file. */
export async function withFile<T>(path: string, use: (file: FileReader) => Promise<T>): Promise<T> {
  const handle = await openWeights(path);
  try {
    const { size } = await handle.stat();
    const read = async (offset: number, length: number) => {
      const inside = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
      if (!inside || offset + length > size) throw damaged(path, "it ends before its contents do");
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await handle.read(bytes, done, Math.min(CHUNK, length - done), offset + done);
        if (bytesRead === 0) throw damaged(path, "it became shorter while it was read");
        done += bytesRead;
      }
      return bytes;
    };
    return await use({ path, size, read });
  } catch (cause) {
    throw cause instanceof UserError ? cause : fileError(path, "read", cause);
  } finally {
    await handle.close();
  }
}

async function openWeights(path: string) {
  try {
    const found = await stat(path);
    if (found.isDirectory()) {
      throw new UserError(`Cannot read ${path}: it is a folder, not a weights file.`, {
        hint: "Give the path of the .pth or .safetensors file in it.",
      });
    }
    return await openRegular(path);
  } catch (cause) {
    throw cause instanceof UserError ? cause : fileError(path, "read", cause);
  }
}

/** The error of a file whose bytes make no sense. `why` completes "Cannot read FILE: ...". */
export function damaged(path: string, why: string): UserError {
  return new UserError(`Cannot read ${path}: ${why}.`, {
    hint: "The file is damaged, incomplete or not what it seems: download or copy it again.",
  });
}

/** Text out of an untrusted file, made safe and short for a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text);
}
