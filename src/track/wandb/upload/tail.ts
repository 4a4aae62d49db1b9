// metrics.jsonl read as it grows: whole steps, in order, at the reader's pace.

import type { FileHandle } from "node:fs/promises";
import type { MetricsRow } from "../../../run/events.ts";
import { parseRow } from "../../../run/records/metricsFile.ts";
import { isMissing, openRegular } from "../../../util/untrusted/regular.ts";
import { type HistoryRow, mergeSteps } from "../folder/rows.ts";

export type Tail = {
  /**
   * The next step that is whole: a row of a later one follows it. Undefined where there is none yet. Rows of steps after
   * `through` are left for later, even where they are in the file.
   */
  next(through: number): Promise<HistoryRow | undefined>;
  /** The last step, now that no row follows. */
  flush(): HistoryRow | undefined;
  close(): Promise<void>;
};

const CHUNK_BYTES = 1 << 16;

/** Read the file at `path` from its beginning; one that is not there yet is empty. Whole lines only are looked at. */
export async function openTail(path: string): Promise<Tail> {
  const merger = mergeSteps();
  let file: FileHandle | undefined;
  let offset = 0;
  let rows: MetricsRow[] = [];

  /** Rows of the next whole lines; none where there is no whole line. */
  const read = async (): Promise<MetricsRow[]> => {
    file ??= await openIfThere(path);
    if (!file) return [];
    for (let size = CHUNK_BYTES; ; size *= 2) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(size), 0, size, offset);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
      if (end > 0) {
        offset += end;
        return buffer
          .toString("utf8", 0, end)
          .split("\n")
          .filter((line) => line !== "")
          .flatMap((line) => parseRow(line) ?? []);
      }
      if (bytesRead < size) return [];
    }
  };
  return {
    async next(through) {
      for (;;) {
        if (rows.length === 0) rows = (await read()).reverse();
        const row = rows.at(-1);
        if (!row || row.step > through) return undefined;
        rows.pop();
        const whole = merger.push(row);
        if (whole) return whole;
      }
    },
    flush: () => merger.flush(),
    close: async () => {
      await file?.close();
    },
  };
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await openRegular(path, { links: false });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
