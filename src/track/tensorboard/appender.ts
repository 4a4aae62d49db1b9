// A file that grows behind the back of what is going on: adding never waits and never fails.

import type { FileHandle } from "node:fs/promises";
import { type Encoded, toBytes } from "../../util/protobuf.ts";

export type Appender = {
  /** Queue a piece; it is written whole or, for now, not at all. Pieces keep their order. */
  add(piece: Encoded): void;
  /** Write what is queued and close; gives up after `withinMs`. */
  close(options: { withinMs: number }): Promise<void>;
};

/**
 * `open` gives a new file and what it has to begin with; it is called before the first piece is written, and again until
 * it succeeds. While writing fails (a full disk), pieces wait in memory, `largest` bytes at most; beyond that all is
 * dropped and nothing is written any more, so that the file has no hole. `onError` is called once.
 */
export function openAppender(
  open: () => Promise<{ file: FileHandle; begin: Encoded }>,
  { largest, onError }: { largest: number; onError: (error: unknown) => void },
): Appender {
  let file: FileHandle | undefined;
  let size = 0;
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let working: Promise<void> | undefined;
  let state: "open" | "troubled" | "closed" = "open";

  const queue = (piece: Uint8Array, { first = false } = {}) => {
    if (first) waiting.unshift(piece);
    else waiting.push(piece);
    waitingBytes += piece.length;
  };
  const writeAll = async () => {
    if (!file) {
      const opened = await open();
      file = opened.file;
      queue(toBytes(opened.begin), { first: true });
    }
    while (waiting.length > 0) {
      const piece = Buffer.concat(waiting);
      waiting = [];
      waitingBytes = 0;
      try {
        await file.appendFile(piece);
        size += piece.length;
      } catch (error) {
        await file.truncate(size).catch(() => {}); // no half record may stay before the next one
        queue(piece, { first: true });
        throw error;
      }
    }
  };
  const trouble = (error: unknown) => {
    if (state === "open") onError(error);
    if (state !== "closed") state = "troubled";
  };
  const work = (): Promise<void> => {
    working ??= writeAll()
      .catch(trouble)
      .finally(() => {
        working = undefined;
        if (waiting.length > 0 && state === "open") void work(); // added while the last write ended
      });
    return working;
  };

  return {
    add(piece) {
      if (state === "closed") return;
      queue(toBytes(piece));
      if (waitingBytes <= largest) {
        void work();
        return;
      }
      trouble(new Error(`more than ${largest} bytes wait to be written`));
      state = "closed";
      waiting = [];
      waitingBytes = 0;
    },
    async close({ withinMs }) {
      const end = async () => {
        await working;
        if (waiting.length > 0 && state !== "closed") await work();
        state = "closed";
        await file?.sync();
        await file?.close();
      };
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, withinMs);
      });
      await Promise.race([end().catch(trouble), late]);
      clearTimeout(timer);
      state = "closed";
    },
  };
}
