// Batches that a run trains on, kept as pictures: its first one, and one of the last minutes. Trouble with it never stops the training.

import { existsSync } from "node:fs";
import { encodeSmall } from "../../data/image/draw.ts";
import type { Batch } from "../../loading/batch/batch.ts";
import { batchPictures } from "../../loading/batch/batchPictures.ts";
import type { TrainEvent } from "../../run/events.ts";
import { runFiles } from "../../run/files.ts";
import { MOST_IMAGES, type SeenBatch } from "../../run/records/batches.ts";
import { writeFileAtomic } from "../../util/files.ts";
import type { Run } from "../liveRun.ts";
import { warnOnce } from "../record/record.ts";

/** Small enough for a page that is sent by mail. */
const FIRST = { images: MOST_IMAGES, side: 360, quality: 75 };
/** Written again and again. */
const LAST = { images: 4, side: 300, quality: 65 };

/** Seconds from one picture of the last batch to the next. */
const LAST_EVERY = 60;

type Seen = Pick<Run, "dir" | "classes" | "progress" | "log">;

/** When each run's last batch was seen to, in milliseconds. */
const seen = new WeakMap<object, number>();

/** Write first-batch.json, once in a run's life, and last-batch.json, once a minute. */
export async function* keepBatches(run: Seen, batch: Batch): AsyncGenerator<TrainEvent, void, undefined> {
  const last = seen.get(run);
  if (last !== undefined && performance.now() - last < 1000 * LAST_EVERY) return;
  seen.set(run, performance.now());
  const { firstBatch, lastBatch } = runFiles(run.dir);
  try {
    if (!existsSync(firstBatch)) await keep(run, batch, { path: firstBatch, ...FIRST });
    else await keep(run, batch, { path: lastBatch, ...LAST });
  } catch (error) {
    yield* warnOnce(run, "batches", `The pictures of a batch could not be kept: ${(error as Error).message}`);
  }
}

async function keep(
  { classes, progress }: Seen,
  batch: Batch,
  { path, images: most, ...size }: typeof FIRST & { path: string },
): Promise<void> {
  const pictures = await batchPictures({ ...batch, targets: batch.targets.slice(0, most) }, classes);
  const images = pictures.map(async ({ image, objects, picture }) => {
    const { data, width, height } = await encodeSmall(picture, size);
    return { image, objects, width, height, jpeg: data.toString("base64") };
  });
  const { epoch, step } = progress;
  const record: SeenBatch = { format: 1, epoch, step, of: batch.targets.length, images: await Promise.all(images) };
  await writeFileAtomic(path, `${JSON.stringify(record)}\n`);
}
