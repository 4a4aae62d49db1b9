// made-by-model-*.json in YOLO's folders of label files: which of these a model made, as their rows have no room for it.

import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../../util/errors.ts";
import { isObject, parseJson } from "../../../util/untrusted/json.ts";
import { isWithin, readRegularText, refuseEscape } from "../../../util/untrusted/regular.ts";
import type { ModelMark } from "../sample.ts";
import { aboutEntry, isMarkFile, MARK_KEY, markReader, scoreIn } from "./marks.ts";

/** Bytes of such a file. */
const MOST_BYTES = 256 << 20;

/** What is said of a label file: who made it, and the scores of its rows. */
export type FileMark = { mark: ModelMark; scores: (number | undefined)[] };

/** A label file that a model made; its name is relative to the folder of the mark file. */
export type MarkedFile = { file: string; mark: ModelMark; scores: readonly (number | undefined)[] };

/** The name and the text of the mark file for some label files of a folder; another call's has another name. */
export function markFile(files: readonly MarkedFile[]): { name: string; text: string } {
  const models = new Map<string, { mark: ModelMark; files: Record<string, (number | null)[]> }>();
  for (const { file, mark, scores } of files) {
    const one = models.get(mark.model) ?? { mark, files: Object.create(null) as Record<string, (number | null)[]> };
    one.files[file] = scores.map((score) => score ?? null);
    models.set(mark.model, one);
  }
  const entries = [...models.values()].map(({ mark, files: all }) => ({ ...aboutEntry(mark), files: all }));
  const rows = entries.map(({ files: all, ...about }) => {
    const lines = Object.entries(all).map(([file, scores]) => `  ${JSON.stringify(file)}: ${JSON.stringify(scores)}`);
    return `${JSON.stringify(about).slice(0, -1)},"files":{\n${lines.join(",\n")}\n}}`;
  });
  const text = `{"${MARK_KEY}":[\n${rows.join(",\n")}\n]}\n`;
  const sum = createHash("sha256").update(text).digest("hex").slice(0, 8);
  return { name: `made-by-model-${sum}.json`, text };
}

/**
 * What the mark files beside label files, or in a folder around them inside `root`, say of each: by its path. Throws a UserError where such a
 * file is no JSON of this kind: to read on would take labels of a model for a person's.
 */
export async function openMarkFiles(root: string): Promise<(label: string) => Promise<FileMark | undefined>> {
  const folders = new Map<string, Promise<Map<string, FileMark>>>();
  const inFolder = (folder: string) => {
    const known = folders.get(folder) ?? readFolder(folder, root);
    folders.set(folder, known);
    return known;
  };
  return async (label) => {
    for (let folder = join(label, ".."); isWithin(folder, root); folder = join(folder, "..")) {
      const found = (await inFolder(folder)).get(label.normalize("NFC"));
      if (found || folder === root) return found;
    }
    return undefined;
  };
}

async function readFolder(folder: string, root: string): Promise<Map<string, FileMark>> {
  const marks = new Map<string, FileMark>();
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter(isMarkFile)) {
    const path = join(folder, name);
    await refuseEscape(path, root);
    const json = parseJson(await readRegularText(path, { most: MOST_BYTES }), path);
    const list = isObject(json) ? json[MARK_KEY] : undefined;
    if (!Array.isArray(list) || !list.every((entry) => isObject(entry) && isObject(entry.files)))
      throw new UserError(`${path} does not say which label files a model made: it needs a list "${MARK_KEY}" of objects with "files".`, {
        hint: "Write it again, or delete it where a person has seen all labels.",
      }); // biome-ignore format: one line
    const read = markReader(path, list);
    for (const entry of list)
      for (const [file, scores] of Object.entries(entry.files as Record<string, unknown>)) {
        const mark = read(entry.model || true)!;
        const place = join(folder, file.replaceAll("\\", "/")).normalize("NFC");
        marks.set(place, { mark, scores: Array.isArray(scores) ? scores.map(scoreIn) : [] });
      }
  }
  return marks;
}
