// metrics.jsonl of a run that goes on: what is appended is read, what was read is not read again.

import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { MetricsRow } from "../../run/events.ts";
import { MOST_RUN_BYTES } from "../../run/json.ts";
import { parseRow } from "../../run/records/metricsFile.ts";
import { UserError } from "../../util/errors.ts";
import { checkInside, isMissing, openRegular } from "../../util/untrusted/regular.ts";

export type MetricsTail = {
  /** All rows so far, the same list each time; none where there is no file. Throws a UserError where it cannot be read. */
  read(): Promise<readonly MetricsRow[]>;
  /** Keep nothing: the next time everything is read again. */
  forget(): void;
};

/** Bytes before the place where reading goes on, by which a file that was cut back and written again is known. */
const KNOWN_BYTES = 512;

export function metricsTail(path: string): MetricsTail {
  let rows: MetricsRow[] = [];
  let [offset, file, known] = [0, "", Buffer.alloc(0)];
  const forget = () => {
    rows = [];
    [offset, known] = [0, Buffer.alloc(0)];
  };
  const readNew = async (handle: FileHandle) => {
    const { size, dev, ino } = await handle.stat();
    if (size > MOST_RUN_BYTES)
      throw new UserError(`${path} is ${size} bytes long: rows of a run have ${MOST_RUN_BYTES} at most.`);
    const before = await bytesOf(handle, offset - known.length, known.length);
    if (size < offset || file !== `${dev} ${ino}` || !before.equals(known)) forget();
    file = `${dev} ${ino}`;
    const fresh = await bytesOf(handle, offset, size - offset);
    const whole = fresh.subarray(0, fresh.lastIndexOf(10) + 1); // the last line may still be written
    if (whole.length === 0) return;
    const added = whole.toString("utf8").slice(0, -1).split("\n").map(parseRow);
    const wrong = added.indexOf(undefined);
    if (wrong >= 0 && wrong < added.length - 1)
      throw new UserError(`${path}:${rows.length + wrong + 1}: this line is no metrics row.`);
    for (const row of added) if (row) rows.push(row);
    offset += whole.length;
    known = Buffer.concat([known, whole]).subarray(-KNOWN_BYTES);
    if (known.length < whole.length) known = Buffer.from(known); // not the whole of what was read
  };
  return {
    forget,
    read: async () => {
      try {
        checkInside(path, dirname(path));
        const handle = await openRegular(path, { links: false });
        await readNew(handle).finally(() => handle.close());
      } catch (error) {
        forget();
        if (!isMissing(error)) throw error;
      }
      return rows;
    },
  };
}

async function bytesOf(handle: FileHandle, from: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(Math.max(0, length));
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, from + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}
