// A part of a file in memory that moves on towards its end, so that a file may be larger than what can be held.

import { UserError } from "../errors.ts";
import { fileError } from "../files.ts";
import { openRegular } from "./regular.ts";

export type ByteWindow = {
  path: string;
  /** What is held: `bytes[at]` to before `bytes[end]` is still to be read. Whoever reads moves `at` on. */
  bytes: Buffer;
  at: number;
  end: number;
  /** The place in the file of `bytes[0]`. */
  start: number;
  /**
   * Hold more of the file behind what is still to be read, at least as much again where the file has it; false at its end.
   * Throws a UserError where more than `mostHeld` bytes were to be held.
   */
  more: () => Promise<boolean>;
};

export type WindowOptions = {
  /** Bytes that the file has at most. */
  most: number;
  /** Bytes that are held at first. */
  bytes?: number;
  /** Bytes that are held at most. */
  mostHeld?: number;
};

/**
 * What `read` makes of the window at a regular file's beginning. Throws a UserError that names the file where it is missing,
 * no regular file or larger than `most`.
 */
export async function throughWindow<T>(
  path: string,
  { most, bytes = 4 << 20, mostHeld = 1 << 27 }: WindowOptions,
  read: (window: ByteWindow) => Promise<T>,
): Promise<T> {
  const file = await openRegular(path);
  try {
    const { size } = await file.stat();
    if (size > most) throw new UserError(`${path} is ${size} bytes long: no more than ${most} are read.`);
    const held = Math.max(1, Math.min(bytes, size));
    const window: ByteWindow = { path, bytes: Buffer.allocUnsafe(held), at: 0, end: 0, start: 0, more };
    async function more(): Promise<boolean> {
      makeRoom(window, mostHeld);
      const before = window.end;
      while (window.end < window.bytes.length) {
        const place = window.start + window.end;
        const room = Math.min(window.bytes.length - window.end, size - place); // never more, whatever is appended meanwhile
        const { bytesRead } = await file.read(window.bytes, window.end, room, place);
        if (bytesRead === 0) break;
        window.end += bytesRead;
      }
      return window.end > before;
    }
    return await read(window);
  } catch (cause) {
    throw cause instanceof UserError ? cause : fileError(path, "read", cause);
  } finally {
    await file.close();
  }
}

/** Moves what is still to be read to the front; into a buffer twice as large where it fills more than half of this one. */
function makeRoom(window: ByteWindow, mostHeld: number): void {
  const { bytes, at, end } = window;
  const rest = end - at;
  if (end < bytes.length && at === 0) return;
  if (rest > bytes.length / 2) {
    if (bytes.length * 2 > mostHeld)
      throw new UserError(
        `${window.path}: what begins at byte ${window.start + at} is longer than ${mostHeld} bytes.`,
        {
          hint: "No single entry of such a file needs that: it is damaged, or a file of another kind.",
        },
      );
    window.bytes = Buffer.allocUnsafe(bytes.length * 2);
  }
  bytes.copy(window.bytes, 0, at, end);
  window.start += at;
  window.at = 0;
  window.end = rest;
}
