// A run as a folder that the official `wandb sync` sends: history, summary, configuration, pictures, the best checkpoint.

import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, link, mkdir, open, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { followLink } from "../../../checkpoint/store/links.ts";
import { checkpointInfo, verifyCheckpoint } from "../../../checkpoint/store/store.ts";
import { runFiles } from "../../../run/files.ts";
import { MOST_RUN_BYTES, readJsonObject } from "../../../run/json.ts";
import { readMetrics } from "../../../run/records/metricsFile.ts";
import { UserError } from "../../../util/errors.ts";
import { fileError } from "../../../util/files.ts";
import { checkInside, readRegular } from "../../../util/untrusted/regular.ts";
import { deliveredSteps } from "../folder/delivered.ts";
import { runIdentity } from "../folder/identity.ts";
import { historyRows, summaryOf, withRuntime } from "../folder/rows.ts";
import { type RunPicture, recordedRun } from "../folder/runFolder.ts";
import { frameRecords } from "./datastore.ts";
import { COVERED, type Covered, nextName, writtenParts } from "./parts.ts";
import {
  type Artifact,
  artifactRecord,
  type Content,
  exitRecord,
  filesRecord,
  headerRecord,
  historyRecord,
  numbered,
  runRecord,
  summaryRecord,
} from "./records.ts";

export type WandbFileOptions = {
  /** The run's folder. */
  dir: string;
  /** Where the folder `offline-run-...` goes; default: `wandb` in the run's folder. */
  out?: string | undefined;
  /** The checkpoint folder that becomes an artifact; default: the run's best, else its last. null: none. */
  checkpoint?: string | null | undefined;
  /** Where the run goes to; default: what the recipe says, else what `wandb sync` is told. */
  project?: string | undefined;
  entity?: string | undefined;
};

export type WandbFile = {
  /** The folder to give to `wandb sync`. */
  folder: string;
  /** The .wandb file in it. */
  file: string;
  /** W&B's id of the run. */
  id: string;
  /** Rows in it, one a step; none where all of the run was sent before. */
  steps: number;
  pictures: number;
  /** The checkpoint in it, by name. */
  checkpoint: string | undefined;
  /**
   * Whether it goes on behind rows that W&B has. wandb 0.31 appends them; 0.18 writes them over the first ones, so it must
   * not send such a file.
   */
  goesOn: boolean;
  /** Whether anything was written; where not, the folder is as an earlier call has left it. */
  changed: boolean;
};

/** The version of W&B whose files these are like, and the oldest that understands them. */
const WRITTEN_LIKE = { producer: "0.31.0", oldestReader: "0.70.0" };

/**
 * Write the run, or what W&B lacks of it: `wandb sync` appends to a run that is there, whatever it has been sent. What an earlier call has written and was not sent is replaced in one go. Of a
 * step that metrics.jsonl has twice the last row counts; steps that were sent and then done again are not sent again. The
 * run must not be training. Throws UserError.
 */
export async function writeWandbFile({ dir, out, checkpoint, project, entity }: WandbFileOptions): Promise<WandbFile> {
  const rows = await readMetrics(runFiles(dir).metrics);
  const delivered = await deliveredSteps(dir);
  if (delivered?.open) {
    throw new UserError(
      `W&B has rows of the run ${dir} already, and it is not known how many: sending them broke off.`,
      {
        hint: `Send the others with: rfdetr-train sync ${dir}`,
      },
    );
  }
  const { id, artifactIds } = await runIdentity(dir);
  const home = resolve(out ?? runFiles(dir).wandb);
  const parts = await writtenParts(home, id);
  const sent = parts.filter((part) => part.sent).map(({ covered }) => covered);
  const goesOn = sent.length > 0 || delivered !== undefined;
  const after = Math.max(delivered?.step ?? -1, ...sent.map(({ through }) => through));
  const through = Math.max(0, ...rows.map(({ step }) => step));
  const source = checkpoint === null ? undefined : (checkpoint ?? (await bestCheckpoint(dir)));
  const placed = source && basename(source);
  const name = `run-${id}.wandb`;
  if (through <= after && (!placed || sent.some((one) => one.checkpoint === placed))) {
    const last = parts.findLast((part) => part.sent);
    if (!last) throw new UserError(`W&B has all rows of the run ${dir}, and there is no checkpoint to send.`);
    const nothing = { steps: 0, pictures: 0, checkpoint: undefined, goesOn, changed: false };
    return { folder: join(home, last.name), file: join(home, last.name, name), id, ...nothing };
  }

  const recorded = await recordedRun(dir, { after, through });
  const started = sent.at(-1)?.ended ?? recorded.started;
  const folder = join(home, parts.find((part) => !part.sent)?.name ?? nextName(parts, { id, started }));
  const fresh = join(home, `.writing-${randomBytes(4).toString("hex")}`);
  try {
    await mkdir(join(fresh, "files"), { recursive: true });
    const pictures = await placePictures(fresh, { dir, pictures: recorded.pictures });
    const artifact = source && (await placeCheckpoint(source, { dir, fresh, folder, id, ids: artifactIds }));
    const history = historyRows(rows)
      .filter(({ _step }) => _step > after)
      .map((row) => withRuntime(row, recorded.started));
    const run = {
      ...{ id, project: project ?? recorded.project, entity: entity ?? recorded.entity, host: hostname() },
      ...{ displayName: recorded.name, started, config: recorded.config },
      resumesAt: goesOn ? (history[0]?._step ?? after + 1) : undefined,
    };
    const last = history.at(-1);
    const summary = {
      ...summaryOf(rows, { metric: recorded.metric, from: recorded.from }),
      ...(last?._runtime !== undefined && { _runtime: last._runtime }),
      ...pictureValues(pictures),
    };
    const contents: Content[] = [
      headerRecord(WRITTEN_LIKE),
      runRecord(run),
      ...history.map((row) => historyRecord({ ...row, ...pictureValues(pictures, row._step) })),
      summaryRecord(summary),
      ...(pictures.length > 0 ? [filesRecord(pictures.map(({ value }) => value.path))] : []),
      ...(artifact ? [artifactRecord(run, artifact)] : []),
      exitRecord({ exitCode: recorded.exitCode, seconds: Math.max(0, recorded.ended - started) / 1000 }),
    ];
    await writeAll(join(fresh, name), frameRecords(numbered(id, contents)));
    const covered: Covered = { through, ended: recorded.ended, checkpoint: placed ?? null };
    await writeFile(join(fresh, COVERED), `${JSON.stringify(covered)}\n`);
    const changed = !(await sameContent(join(fresh, name), join(folder, name)));
    if (changed) await replaceFolder(folder, fresh);
    return {
      ...{ folder, file: join(folder, name), id, goesOn, changed, checkpoint: placed },
      ...{ steps: history.length, pictures: pictures.length },
    };
  } catch (error) {
    throw fileError(home, "write", error);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function placePictures(
  fresh: string,
  { dir, pictures }: { dir: string; pictures: readonly RunPicture[] },
): Promise<RunPicture[]> {
  const placed: RunPicture[] = [];
  for (const picture of pictures) {
    const target = join(fresh, "files", picture.value.path);
    await mkdir(dirname(target), { recursive: true });
    checkInside(picture.file, dir);
    if (await linkOrCopy(picture.file, target)) placed.push(picture);
  }
  return placed;
}

/** Pictures as values of a row; without a step, the last of each key. */
function pictureValues(pictures: readonly RunPicture[], step?: number): Record<string, unknown> {
  const shown = pictures.filter((picture) => step === undefined || picture.step === step);
  return Object.fromEntries(shown.sort((a, b) => a.step - b.step).map(({ key, value }) => [key, value]));
}

/** Folder of the checkpoint that `best` names, else of the last one. */
async function bestCheckpoint(dir: string): Promise<string | undefined> {
  for (const name of ["best", "last"]) {
    const { checkpoints } = runFiles(dir);
    checkInside(checkpoints, dir);
    const path = await realpath(await followLink(join(checkpoints, name))).catch(() => undefined);
    if (path === undefined) continue;
    if (dirname(path) === (await realpath(checkpoints))) return path;
    throw new UserError(`${join(checkpoints, name)} is a link to ${path}, which is no checkpoint of this run.`, {
      hint: "Name one of the run's own checkpoints.",
    });
  }
  return undefined;
}

/** Bytes of a file of weights: several times those of the largest RF-DETR. */
const MOST_FILE_BYTES = 4 * 2 ** 30;

/** The weights of a checkpoint and the recipe, without the optimizer's state; linked, since the run may delete them before they are sent. */
async function placeCheckpoint(
  source: string,
  { dir, fresh, folder, id, ids }: { dir: string; fresh: string; folder: string; id: string; ids: Artifact["ids"] },
): Promise<Artifact> {
  if (await checkpointInfo(source)) await verifyCheckpoint(source); // what is not as it was written is not sent
  const within = join("checkpoint", basename(source));
  await mkdir(join(fresh, within), { recursive: true });
  const files = [];
  for (const path of [join(source, "ema.safetensors"), join(source, "model.safetensors"), runFiles(dir).recipe]) {
    const name = basename(path);
    checkInside(path, dirname(path)); // a link would be sent as what it leads to
    if (!(await linkOrCopy(path, join(fresh, within, name)))) continue;
    const { size } = await stat(join(fresh, within, name));
    if (size > MOST_FILE_BYTES)
      throw new UserError(`${path} is ${size} bytes long: weights have ${MOST_FILE_BYTES} at most.`);
    files.push({ name, path: join(folder, within, name), size, md5: await md5Of(join(fresh, within, name)) });
  }
  if (!files.some(({ name }) => name === "model.safetensors")) {
    throw new UserError(`${source} is no checkpoint: it has no model.safetensors.`, {
      hint: "Name one of the folders in the run's checkpoints folder.",
    });
  }
  const { epoch, step, score } = (await readJsonObject<Record<string, unknown>>(join(source, "manifest.json"))) ?? {};
  const isBest =
    (await realpath(await followLink(join(runFiles(dir).checkpoints, "best"))).catch(() => "")) ===
    (await realpath(source));
  return {
    ...{ name: `model-${id}`, type: "model", aliases: ["latest", ...(isBest ? ["best"] : [])] },
    ...{ metadata: { checkpoint: basename(source), epoch, step, score }, files, ids },
  };
}

/** Give a file a second name, or copy it where that cannot be; false where it is not there. */
async function linkOrCopy(from: string, to: string): Promise<boolean> {
  try {
    await link(await realpath(from), to).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") throw error;
      return copyFile(from, to); // another disk, or one that knows no links
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

async function md5Of(path: string): Promise<string> {
  const hash = createHash("md5");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("base64");
}

/** Write pieces and sync, some hundred at a time. */
async function writeAll(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  const file = await open(path, "wx");
  try {
    let batch: Uint8Array[] = [];
    for (const piece of pieces) {
      batch.push(piece);
      if (batch.length < 512) continue;
      await file.appendFile(Buffer.concat(batch));
      batch = [];
    }
    await file.appendFile(Buffer.concat(batch));
    await file.sync();
  } finally {
    await file.close();
  }
}

async function sameContent(a: string, b: string): Promise<boolean> {
  const read = (path: string) => readRegular(path, { most: MOST_RUN_BYTES });
  const [left, right] = await Promise.all([read(a), read(b).catch(() => undefined)]);
  return right !== undefined && left.equals(right);
}

/** Put a folder in another one's place; the old one is never half there. */
async function replaceFolder(path: string, fresh: string): Promise<void> {
  const old = `${fresh}.old`;
  await rename(path, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rename(fresh, path);
  await rm(old, { recursive: true, force: true });
}
