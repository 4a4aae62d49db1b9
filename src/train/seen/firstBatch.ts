// The first batch that a run trains on, kept as pictures. Trouble with it never stops the training.

import { existsSync } from "node:fs";
import { encodeSmall } from "../../data/image/draw.ts";
import type { Batch } from "../../loading/batch/batch.ts";
import { batchPictures } from "../../loading/batch/batchPictures.ts";
import type { TrainEvent } from "../../run/events.ts";
import { runFiles } from "../../run/files.ts";
import { type FirstBatch, MOST_IMAGES } from "../../run/records/firstBatch.ts";
import { writeFileAtomic } from "../../util/files.ts";
import type { Run } from "../liveRun.ts";
import { warning } from "../record/record.ts";

/** Small enough for a page that is sent by mail. */
const JPEG = { side: 360, quality: 75 };

/** Runs whose first batch was seen to. */
const kept = new WeakSet<object>();

/** Write first-batch.json, once in a run's life. */
export async function* keepFirstBatch(
  run: Pick<Run, "dir" | "classes" | "progress" | "log">,
  batch: Batch,
): AsyncGenerator<TrainEvent, void, undefined> {
  if (kept.has(run)) return;
  kept.add(run);
  const path = runFiles(run.dir).firstBatch;
  if (existsSync(path)) return;
  try {
    const some = { ...batch, targets: batch.targets.slice(0, MOST_IMAGES) };
    const pictures = await batchPictures(some, run.classes);
    const images = pictures.map(async ({ image, objects, picture }) => {
      const { data, width, height } = await encodeSmall(picture, JPEG);
      return { image, objects, width, height, jpeg: data.toString("base64") };
    });
    const { epoch, step } = run.progress;
    const record: FirstBatch = { format: 1, epoch, step, of: batch.targets.length, images: await Promise.all(images) };
    await writeFileAtomic(path, `${JSON.stringify(record)}\n`);
  } catch (error) {
    yield warning(run, `The pictures of the first batch could not be kept: ${(error as Error).message}`);
  }
}
