// Suspects as a file, and such files as anybody may hand them in, with decisions or without: every value is looked at.

import { cocoMask } from "../data/dataset/coco.ts";
import { type ClassEntry, SPLITS } from "../data/dataset/sample.ts";
import type { CocoBox } from "../instance/boxes.ts";
import type { Instance } from "../instance/instance.ts";
import {
  type FoundRecord,
  type LabelRecord,
  SUSPECT_KINDS,
  type SuspectKind,
  type SuspectRecord,
  type SuspectsRecord,
} from "../report/suspects/suspectsRecord.ts";
import { UserError } from "../util/errors.ts";
import { isNumbers, isObject, parseJson } from "../util/untrusted/json.ts";
import { readRegularText } from "../util/untrusted/regular.ts";
import type { Suspect } from "./suspect.ts";

/** A suspect as the file has it; boxes to hundredths of a pixel. */
export function recordOf(
  { kind, score, picture, label, other, found }: Suspect,
  { id, classes }: { id: number; classes: readonly ClassEntry[] },
): SuspectRecord {
  const { split, imageId, file, annotations } = picture;
  const nameOf = (of: number) => classes[of]!.name;
  const labelAt = (index: number): LabelRecord => {
    const { id: own, label: of, box } = annotations[index]!;
    return { index, id: own, class: nameOf(of), bbox: asCoco(box) };
  };
  return {
    ...{ id, kind, score: rounded(score, 4), split, image_id: imageId, file_name: file },
    ...(label !== undefined && { label: labelAt(label) }),
    ...(other !== undefined && { other: labelAt(other) }),
    ...(found && {
      found: {
        ...{ class: nameOf(found.label), bbox: asCoco(found.box), score: rounded(found.score, 4) },
        ...(found.mask && { segmentation: found.mask }),
      },
    }),
  };
}

function asCoco([x1, y1, x2, y2]: Instance["box"]): CocoBox {
  const [x, y] = [rounded(x1, 2), rounded(y1, 2)];
  return [x, y, rounded(x2 - x, 2), rounded(y2 - y, 2)];
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

const MOST_BYTES = 256 << 20;
const MOST_TEXT = 1000;

/** Throws a UserError that names what is wrong with the file. */
export async function readSuspects(path: string): Promise<SuspectsRecord> {
  const json = parseJson(await readRegularText(path, { most: MOST_BYTES, kind: "file of suspects" }), path);
  const fail = (what: string) =>
    new UserError(`${path} is no file of suspected labels: ${what}.`, {
      hint: "It must be the suspects.json that `rfdetr-train data review` wrote, or what its page downloaded.",
    });
  if (!isObject(json)) throw fail("it is not a JSON object");
  if (json.format !== 1) throw fail(`its format is ${JSON.stringify(json.format)?.slice(0, 40)}, not 1`);
  const { made, data, suspects } = json;
  if (!isObject(made) || !isObject(data) || !/^[0-9a-f]{64}$/.test(String(data.fingerprint)))
    throw fail('"made" or "data" is missing or damaged');
  if (!Array.isArray(suspects)) throw fail('"suspects" is no list');
  const read = suspects.map((one: unknown, i) => {
    const suspect = suspectIn(one);
    if (typeof suspect === "string") throw fail(`suspects[${i}] ${suspect}`);
    return suspect;
  });
  const text = (value: unknown) => (typeof value === "string" ? value.slice(0, MOST_TEXT) : "");
  const { weights, sha256, program, date } = made;
  return {
    format: 1,
    made: { weights: text(weights), sha256: text(sha256), program: text(program), date: text(date) },
    data: { description: text(data.description), fingerprint: data.fingerprint as string },
    suspects: read,
  };
}

/** What each kind needs to be put right. */
const NEEDS: Record<SuspectKind, readonly ("label" | "other" | "found")[]> = {
  missing: ["found"],
  class: ["label", "found"],
  place: ["label", "found"],
  double: ["label", "other"],
};

/** A suspect of a file, or what is wrong with it. */
function suspectIn(value: unknown): SuspectRecord | string {
  if (!isObject(value)) return "is no object";
  const { id, score, image_id, file_name, decision } = value;
  const kind = SUSPECT_KINDS.find((one) => one === value.kind);
  const split = SPLITS.find((one) => one === value.split);
  if (!kind) return "is of no kind that there is";
  if (!split) return "is of no split";
  if (!Number.isSafeInteger(id) || !Number.isSafeInteger(image_id)) return "has no id, or none of its image";
  if (typeof score !== "number" || typeof file_name !== "string") return "has no score or no file_name";
  if (decision !== undefined && decision !== null && decision !== "accept" && decision !== "reject")
    return `has the decision ${JSON.stringify(decision).slice(0, 40)}, which must be "accept" or "reject"`;
  const parts: Pick<SuspectRecord, "label" | "other" | "found"> = {};
  for (const key of NEEDS[kind]) {
    const part = key === "found" ? foundIn(value.found) : labelIn(value[key]);
    if (!part) return `has no usable "${key}"`;
    Object.assign(parts, { [key]: part });
  }
  const base = { id: id as number, kind, score, split, image_id: image_id as number, file_name };
  return { ...base, ...parts, ...(decision != null && { decision }) };
}

function labelIn(value: unknown): LabelRecord | undefined {
  if (!isObject(value) || !Number.isSafeInteger(value.index) || typeof value.class !== "string") return undefined;
  const bbox = boxIn(value.bbox);
  return bbox && { index: value.index as number, id: Number(value.id), class: value.class, bbox };
}

function foundIn(value: unknown): FoundRecord | undefined {
  if (!isObject(value) || typeof value.class !== "string" || typeof value.score !== "number") return undefined;
  const bbox = boxIn(value.bbox);
  const segmentation = value.segmentation === undefined ? undefined : cocoMask(value.segmentation);
  if (!bbox || (value.segmentation !== undefined && !segmentation)) return undefined;
  return { class: value.class, bbox, score: value.score, ...(segmentation && { segmentation }) };
}

function boxIn(value: unknown): CocoBox | undefined {
  if (!isNumbers(value) || value.length !== 4 || !value.every(Number.isFinite)) return undefined;
  return value[2]! > 0 && value[3]! > 0 ? (value as unknown as CocoBox) : undefined;
}
