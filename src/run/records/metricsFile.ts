// metrics.jsonl, the source of truth of a run: append-only, one JSON object a line, repaired and cut back when a run resumes.

import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { UserError } from "../../util/errors.ts";
import { fileError, isDiskFull } from "../../util/files.ts";
import { parseJson } from "../../util/untrusted/json.ts";
import { checkInside, readRegular } from "../../util/untrusted/regular.ts";
import type { MetricsRow } from "../events.ts";
import { MOST_RUN_BYTES } from "../json.ts";

/** Fields that differ between two runs of the same recipe, since they measure time. */
export const TIMING_FIELDS: readonly string[] = ["time", "images_per_second", "data_wait"];

export type MetricsFile = {
  /** Rows in the file now. A checkpoint that holds this number says exactly what was written before it. */
  readonly rows: number;
  /** What opening had to cut off, for a note to the user. */
  readonly cut: { tornBytes: number; rows: number };
  /** Append a row; on a full disk it waits in memory until a later call finds room. Throws a UserError where it cannot be written at all. */
  append(row: MetricsRow): Promise<void>;
  /** Returns when everything appended is on the disk. Throws a UserError where that has no room. */
  sync(): Promise<void>;
  close(): Promise<void>;
};

const SYNC_EVERY_MS = 5000;

/**
 * Open for appending; a missing file is made. A last line that was torn by a crash is cut off. To resume, rows after
 * `throughStep`, or beyond the first `rows` rows, are cut off, too. Throws UserError where a line is no metrics row.
 */
export async function openMetricsFile(
  path: string,
  {
    throughStep = Number.POSITIVE_INFINITY,
    rows: most = Number.POSITIVE_INFINITY,
  }: { throughStep?: number; rows?: number } = {},
): Promise<MetricsFile> {
  let file: FileHandle;
  try {
    checkInside(path, dirname(path)); // a link would have what it leads to cut off
    file = await open(path, "a+");
  } catch (error) {
    throw fileError(path, "write", error);
  }
  try {
    const { size: there } = await file.stat();
    if (there > MOST_RUN_BYTES)
      throw new UserError(`${path} is ${there} bytes long: rows of a run have ${MOST_RUN_BYTES} at most.`);
    const bytes = await file.readFile();
    const lines = parseLines(bytes, path);
    const keep = lines.findIndex(({ row }, i) => i >= most || row.step > throughStep);
    const kept = keep < 0 ? lines.length : keep;
    let size = lines[kept - 1]?.end ?? 0;
    let rows = kept;
    if (size < bytes.length) {
      await file.truncate(size);
      await file.sync();
    }
    let synced = Date.now();
    let waiting: Buffer[] = [];
    const write = async () => {
      const lines = Buffer.concat(waiting);
      try {
        await file.appendFile(lines);
      } catch (error) {
        await file.truncate(size).catch(() => {}); // leave no half line where the disk is full
        throw fileError(path, "write", error);
      }
      size += lines.length;
      rows += waiting.length;
      waiting = [];
    };
    const sync = async () => {
      await write();
      await file.sync();
      synced = Date.now();
    };
    return {
      get rows() {
        return rows;
      },
      cut: { tornBytes: bytes.length - (lines.at(-1)?.end ?? 0), rows: lines.length - kept },
      append: async (row) => {
        waiting.push(Buffer.from(`${JSON.stringify(row)}\n`));
        try {
          await write();
          if (Date.now() - synced > SYNC_EVERY_MS || row.split !== "train") await sync();
        } catch (error) {
          if (isDiskFull(error)) return;
          waiting = waiting.slice(0, -1);
          throw error;
        }
      },
      sync,
      close: async () => {
        await sync().catch(() => {}); // whoever needs the rows has asked for this before
        await file.close();
      },
    };
  } catch (error) {
    await file.close();
    throw error instanceof UserError ? error : fileError(path, "write", error);
  }
}

/** What to say where metrics.jsonl has fewer rows than a checkpoint counts, as after a copy without it; undefined: none is missing. */
export function missingRows(path: string, { rows, counted }: { rows: number; counted: number }): string | undefined {
  if (rows >= counted) return undefined;
  const what = `${path} has ${rows} of the ${counted} rows that the checkpoint counts: it was deleted, shortened or not copied.`;
  const loss = "Weights are whole, but curves, results.csv and the report lack what is missing.";
  return `${what} ${loss} If you have the file elsewhere, put it back before the run goes on.`;
}

/** All rows of a metrics file; a torn last line is left out. Throws UserError. */
export async function readMetrics(path: string): Promise<MetricsRow[]> {
  const bytes = await readRegular(path, { most: MOST_RUN_BYTES, within: dirname(path) });
  return parseLines(bytes, path).map(({ row }) => row);
}

/** The rows with the byte at which each ends. Only the last line may be torn. */
function parseLines(bytes: Uint8Array, path: string): { row: MetricsRow; end: number }[] {
  const lines: { row: MetricsRow; end: number }[] = [];
  const decoder = new TextDecoder();
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(10, start);
    if (newline < 0) break;
    const row = parseRow(decoder.decode(bytes.subarray(start, newline)));
    if (!row) {
      if (newline === bytes.length - 1) break;
      throw new UserError(`${path}:${lines.length + 1}: this line is no metrics row.`, {
        hint: "The file was changed from outside. Restore it, or delete the line.",
      });
    }
    start = newline + 1;
    lines.push({ row, end: start });
  }
  return lines;
}

/** A row with the parts that all readers count on; those of later versions may have more splits and more fields. Undefined: it is none. */
export function parseRow(line: string): MetricsRow | undefined {
  try {
    const row = parseJson(line, "a row") as Partial<MetricsRow> | null;
    const whole = isCount(row?.step) && isCount(row.epoch) && typeof row.split === "string";
    if (!whole) return undefined;
    if (row.split !== "val" && row.split !== "test") return row as MetricsRow;
    const { per_class: classes } = row;
    return { ...row, per_class: typeof classes === "object" && classes !== null ? classes : {} } as MetricsRow;
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
