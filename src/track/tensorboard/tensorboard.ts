// TensorBoard event files of a run: `tensorboard/events.out.tfevents.*`, one for each time that the run (re)started.

import { statSync } from "node:fs";
import { mkdir, open, readdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import type { MetricsRow } from "../../run/events.ts";
import { runFiles } from "../../run/files.ts";
import { fileError } from "../../util/files.ts";
import type { Encoded } from "../../util/protobuf.ts";
import { checkInside } from "../../util/untrusted/regular.ts";
import type { Tracker, TrackerOptions } from "../tracker.ts";
import { flatRow } from "../wandb/folder/rows.ts";
import { openAppender } from "./appender.ts";
import {
  fileVersion,
  followReached,
  histogramValue,
  pictureValue,
  type Reached,
  restart,
  scalarValue,
  summary,
  textValue,
} from "./tensorboardEvents.ts";
import { frameRecord, readRecords } from "./tfrecord.ts";

const MOST_WAITING_BYTES = 64 * 2 ** 20;
const CLOSE_WITHIN_MS = 10_000;
/** Events of scalars are far smaller; those of pictures are not looked into. */
const LARGEST_SCALARS_BYTES = 2 ** 20;

/**
 * Scalars of every row under `train/...`, `val/...` and `val/per_class/...`, pictures with their captions, histograms
 * under `gradients/...`, and the recipe as text. Where a run goes on, TensorBoard is told to forget the steps that will
 * be done again, and rows that are in metrics.jsonl but not here (the disk was full, the files were deleted, or
 * TensorBoard was off) are made up for.
 */
export function openTensorboard({ dir, recipe, step: done, onNotice }: TrackerOptions): Tracker {
  const metrics = runFiles(dir).metrics;
  const known = statSync(metrics, { throwIfNoEntry: false })?.size ?? 0; // what is appended from now on comes through row()
  const rowsBefore = async () => readRows((await readFile(metrics)).subarray(0, known));
  const opened = () => openEventFile(runFiles(dir).tensorboard, { rowsBefore, recipe, done });
  const file = openAppender(opened, {
    largest: MOST_WAITING_BYTES,
    onError: (error) => {
      const reason = (error as Error).message.replace(/\.$/, "");
      onNotice(`TensorBoard files cannot be written: ${reason}. Training goes on without them.`, "warn");
    },
  });
  return {
    row: (row) => file.add(frameRecord(rowEvent(row))),
    pictures({ step }, pictures) {
      if (pictures.length === 0) return;
      // Each in a record of its own, so that no record becomes large.
      for (const picture of pictures) {
        file.add(frameRecord(summary({ step }, [pictureValue(`val/${picture.name}`, picture)])));
      }
      const captions = pictures.map(({ name, caption }) => `| ${cell(name)} | ${cell(caption)} |`);
      const table = ["| picture | shows |", "|---|---|", ...captions].join("\n");
      file.add(frameRecord(summary({ step }, [textValue("val/captions", table)])));
    },
    histograms({ step }, histograms) {
      const values = [...histograms].map(([path, histogram]) => histogramValue(`gradients/${path}`, histogram));
      if (values.length > 0) file.add(frameRecord(summary({ step }, values)));
    },
    close: () => file.close({ withinMs: CLOSE_WITHIN_MS }),
  };
}

/** A new event file, later by its name than those that are there, and what it has to begin with. */
async function openEventFile(
  folder: string,
  { rowsBefore, recipe, done }: { rowsBefore: () => Promise<MetricsRow[]>; recipe: unknown; done: number },
) {
  try {
    checkInside(folder, dirname(folder));
    await mkdir(folder, { recursive: true });
    const names = (await readdir(folder)).filter((name) => name.startsWith("events.out.tfevents.")).sort();
    const reached: Reached = new Map();
    for (const name of names) {
      const records = readRecords(join(folder, name), { largest: LARGEST_SCALARS_BYTES });
      for await (const event of records) followReached(reached, event);
    }
    const rows = done > 0 ? (await rowsBefore()).filter(({ step }) => step <= done) : [];
    const isEvaluated = rows.some(({ split, step }) => split === "val" && step === done);
    const again = !isEvaluated && (reached.get("val") ?? 0) >= done; // the last step's evaluation was lost, and comes again
    const from = again ? done : done + 1;
    const missed = rows.filter(({ split, step }) => step > Math.min(reached.get(split) ?? 0, from - 1));
    const events = [
      fileVersion(),
      restart({ step: from }), // in the first file, too: TensorBoard heeds the second and later ones only
      summary({ step: done }, [textValue("recipe", indented(recipe))]),
      ...missed.map(rowEvent),
    ];
    // TensorBoard reads the files by name: seconds since 1970 come first, and must grow even if the clock does not.
    const seconds = Number(names.at(-1)?.split(".")[3]);
    const stamp = Math.max(Math.floor(Date.now() / 1000), Number.isSafeInteger(seconds) ? seconds + 1 : 0);
    const name = `events.out.tfevents.${String(stamp).padStart(10, "0")}.${hostname()}.${process.pid}.0`;
    return { file: await open(join(folder, name), "ax"), begin: events.flatMap(frameRecord) };
  } catch (error) {
    throw fileError(folder, "write", error);
  }
}

/** Rows of whole lines. */
function readRows(lines: Uint8Array): MetricsRow[] {
  const text = Buffer.from(lines).toString("utf8").trimEnd();
  return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as MetricsRow);
}

function rowEvent(row: MetricsRow): Encoded {
  const { _step, epoch, ...values } = flatRow(row);
  const shown = Object.entries(row.split === "train" ? { epoch, ...values } : values); // once a step
  return summary(
    row,
    shown.map(([tag, value]) => scalarValue(tag, value)),
  );
}

/** A cell of a Markdown table: one line, and nothing that ends the cell. */
function cell(text: string): string {
  return text.replace(/\s+/g, " ").replaceAll("\\", "\\\\").replaceAll("|", "\\|");
}

/** Plain data as a Markdown code block. */
function indented(data: unknown): string {
  return (JSON.stringify(data, null, 2) ?? "").replace(/^/gm, "    ");
}
