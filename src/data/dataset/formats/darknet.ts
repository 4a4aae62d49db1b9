// obj.data, the file by which Darknet knows a YOLO data set, and CVAT's export as YOLO 1.1: names and lists of images, label files beside these.

import { basename, join, resolve } from "node:path";
import { UserError } from "../../../util/errors.ts";
import { isWithin, readUtf8, refuseEscape } from "../../../util/untrusted/regular.ts";
import { MOST_YAML_BYTES } from "../../../util/untrusted/yaml.ts";
import { exists } from "../listing.ts";
import type { YoloFile } from "../yolo.ts";
import { findYoloSplit } from "../yoloSplit.ts";

/** The class names that are the lines of a file. Throws a UserError where it has none. */
export async function readNames(path: string, root: string): Promise<string[]> {
  await refuseEscape(path, root);
  const lines = (await readUtf8(path, { most: MOST_YAML_BYTES, kind: "list of classes" })).split(/\r?\n/);
  const names = lines.map((line) => line.replace(/^\ufeff/, "").trim());
  while (names.at(-1) === "") names.pop();
  if (names.length === 0)
    throw new UserError(`${path} names no classes.`, { hint: "It needs the name of a class a line." });
  return names;
}

/** A data set as obj.data has it: `key = value` a line, with the keys names, train, valid and test. Throws a UserError where what it names is not there. */
export async function readDarknet(root: string, path: string): Promise<YoloFile> {
  await refuseEscape(path, root);
  const lines = (await readUtf8(path, { most: MOST_YAML_BYTES })).split(/\r?\n/);
  const given = new Map(lines.flatMap((line) => (line.includes("=") ? [[keyOf(line), settingOf(line)] as const] : [])));
  const fields: Record<string, unknown> = {};
  for (const key of ["train", "valid", "test"]) {
    const value = given.get(key);
    if (value) fields[key] = (await placeIn(root, value)) ?? value;
  }
  const splits: YoloFile["splits"] = {};
  for (const name of ["train", "val", "test"] as const) {
    const declared = fields[name === "val" ? "valid" : name] !== undefined;
    const found = declared ? await findYoloSplit(root, { path, fields, name }) : null;
    if (found) splits[name] = found;
  }
  const list = await placeIn(root, given.get("names") ?? "obj.names");
  if (list === undefined)
    throw new UserError(`${path} names its classes in ${given.get("names") ?? "obj.names"}, which is not in ${root}.`, {
      hint: "Copy the file from the export, too.",
    });
  const names = await readNames(join(root, list), root);
  const count = given.get("classes");
  if (count !== undefined && Number(count) !== names.length)
    throw new UserError(`${path}: "classes" is ${count}, but ${list} has ${names.length} classes.`, {
      hint: "Correct one of them.",
    });
  return { path, names, splits, keypoints: undefined };
}

/** The place of a file in the data set: CVAT names what lies in it as if it lay in data/. */
async function placeIn(root: string, value: string): Promise<string | undefined> {
  for (const place of [value, value.replace(/^\.?\/?data\//, ""), basename(value)])
    if (isWithin(resolve(root, place), root) && (await exists(resolve(root, place)))) return place;
  return undefined;
}

function keyOf(line: string): string {
  return line.slice(0, line.indexOf("=")).trim().toLowerCase();
}

function settingOf(line: string): string {
  return line.slice(line.indexOf("=") + 1).trim().replaceAll("\\", "/"); // biome-ignore format: one line
}
