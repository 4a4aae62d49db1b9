// Pictures for W&B: kept in the run's folder until they have been uploaded, so that none is lost with the process.

import { createHash } from "node:crypto";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { runFiles } from "../../../run/files.ts";
import { readRunText } from "../../../run/json.ts";
import { parseJson } from "../../../util/untrusted/json.ts";
import { checkInside, isMissing, readRegular } from "../../../util/untrusted/regular.ts";
import type { TrackedPicture } from "../../tracker.ts";

const MOST_PICTURE_BYTES = 16 << 20;

/** What a row of W&B's history holds in place of a picture. `path` is where it is uploaded to, relative to the run. */
export type PictureValue = {
  _type: "image-file";
  path: string;
  sha256: string;
  size: number;
  format: string;
  width: number;
  height: number;
  caption: string;
};

/** A picture that belongs to the row of `step`, under `key`. */
export type KeptPicture = { step: number; key: string; value: PictureValue };

/** A picture and the file with its bytes. */
export type PictureOnDisk = KeptPicture & { file: string };

const folderOf = (dir: string) => join(runFiles(dir).wandb, "pictures");
const indexOf = (dir: string) => join(runFiles(dir).wandb, "pictures.jsonl");

/** Where the bytes of a kept picture are. */
export function pictureFile(dir: string, { path }: Pick<PictureValue, "path">): string {
  return join(folderOf(dir), basename(path));
}

/** Put the pictures of an evaluation into the run's folder `dir`; returns them as rows refer to them. */
export async function keepPictures(
  dir: string,
  { step }: { step: number },
  pictures: readonly TrackedPicture[],
): Promise<KeptPicture[]> {
  checkInside(folderOf(dir), dir);
  await mkdir(folderOf(dir), { recursive: true });
  const kept: KeptPicture[] = [];
  for (const { name, caption, format, data, width, height } of pictures) {
    const sha256 = createHash("sha256").update(data).digest("hex");
    const plain = name.replaceAll(/[^A-Za-z0-9._-]+/g, "_").slice(0, 80);
    const path = `media/images/val_${plain}_${step}_${sha256.slice(0, 20)}.${format === "jpeg" ? "jpg" : format}`;
    const value = { _type: "image-file", path, sha256, size: data.length, format, width, height, caption } as const;
    checkInside(pictureFile(dir, value), dir);
    await writeFile(pictureFile(dir, value), data);
    kept.push({ step, key: `val/${name}`, value });
  }
  await append(dir, kept);
  return kept;
}

/** Note that pictures have arrived at W&B. */
export async function markSent(dir: string, paths: readonly string[]): Promise<void> {
  await append(
    dir,
    paths.map((path) => ({ sent: path })),
  );
}

/** All pictures of a run, the last of each step and key, and the paths of those that have arrived at W&B. */
export async function keptPictures(dir: string): Promise<{ pictures: KeptPicture[]; sent: Set<string> }> {
  const text = await readRunText(indexOf(dir), { dir }).catch((error: unknown) => {
    if (isMissing(error)) return "";
    throw error;
  });
  const pictures = new Map<string, KeptPicture>();
  const sent = new Set<string>();
  for (const line of text.split("\n")) {
    const entry = parse(line);
    if (typeof entry?.sent === "string") sent.add(entry.sent);
    else if (isPicture(entry)) pictures.set(`${entry.step} ${entry.key}`, entry);
  }
  return { pictures: [...pictures.values()], sent };
}

async function append(dir: string, entries: readonly object[]): Promise<void> {
  if (entries.length === 0) return;
  // A line of its own first: the last one may have been torn by a crash.
  checkInside(indexOf(dir), dir);
  await appendFile(indexOf(dir), `\n${entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")}`);
}

/** What `keepPictures` writes: the path is one below media/images, since a file of that name is made elsewhere, too. */
function isPicture(entry: Partial<KeptPicture> | undefined): entry is KeptPicture {
  const { path, size, sha256 } = (entry?.value ?? {}) as Partial<PictureValue>;
  const isPath = typeof path === "string" && /^media\/images\/\w[\w.-]*$/.test(path);
  const isWhole = typeof size === "number" && typeof sha256 === "string";
  return isPath && isWhole && typeof entry?.step === "number" && typeof entry.key === "string";
}

/** The bytes of a kept picture. Throws a UserError where it is not there, or a link. */
export function readKeptPicture(dir: string, file: string): Promise<Buffer> {
  return readRegular(file, { most: MOST_PICTURE_BYTES, within: dir });
}

/** A line of the index; undefined for one that a crash tore. */
function parse(line: string): (Partial<KeptPicture> & { sent?: string }) | undefined {
  try {
    const entry = line === "" ? undefined : parseJson(line, "a line");
    return typeof entry === "object" && entry !== null ? entry : undefined;
  } catch {
    return undefined;
  }
}
