// A corrected copy of a data set: what a person accepted of its suspected labels, done; the data set itself stays as it is.

import { basename } from "node:path";
import { refuseTaken, type WrittenDataset, writeDataset } from "../convert/convertDataset.ts";
import type { Dataset, DatasetSource } from "../data/dataset/dataset.ts";
import type { LayoutName } from "../data/dataset/formats/layout.ts";
import {
  type Annotation,
  type ClassEntry,
  type LabelledData,
  type Sample,
  SPLITS,
  type Split,
} from "../data/dataset/sample.ts";
import { maskRuns } from "../instance/masks/maskRuns.ts";
import { runsArea } from "../instance/masks/runs.ts";
import type { FoundRecord, SuspectKind, SuspectRecord } from "../report/suspects/suspectsRecord.ts";
import { programVersion } from "../run/environment.ts";
import { UserError } from "../util/errors.ts";
import { sha256File } from "../util/files.ts";
import { readSuspects } from "./record.ts";
import { loadAsItIs, reviewFingerprint } from "./source.ts";

export type CorrectOptions = {
  /** The data set, as a recipe's `data` names it: the one that was reviewed. */
  data: DatasetSource;
  /** The file that the page downloaded, or suspects.json itself. */
  decisions: string;
  /** The folder to write, which must be new or empty. */
  out: string;
  /** Suspects without a decision are accepted from this score on. Default: none of them is. */
  acceptAbove?: number | undefined;
};

/** Plain data, to be printed or written as JSON. */
export type Correction = Omit<WrittenDataset, "classes"> & {
  description: string;
  /** What was accepted, by kind; `rejected` and `open`: suspects that change nothing. */
  accepted: Record<SuspectKind, number>;
  rejected: number;
  open: number;
  /** The file that says which labels were corrected, and by what. */
  corrections: string;
};

/** Name of the file that says what was corrected. No layout takes it for labels. */
export const CORRECTIONS = "corrections.json";

/** The layout in which a copy is written: the data set's own, or COCO where there is no writer for it. */
const COPIED_AS: Record<LayoutName, "coco" | "yolo" | "voc"> = {
  ...{ yolo: "yolo", voc: "voc", coco: "coco", "roboflow-coco": "coco", explicit: "coco" },
  ...{ labelme: "coco", createml: "coco", csv: "coco" },
};

/**
 * Write a corrected copy of a data set: its pictures linked, its labels as `decisions` say, and `corrections.json` with each of them. Throws a
 * UserError where the decisions are no file of this kind, are of another data set or of one that has changed since, and where `out` has anything
 * in it.
 */
export async function correctLabels({ data, decisions, out, acceptAbove }: CorrectOptions): Promise<Correction> {
  for (const dir of [data.dir, ...SPLITS.map((name) => data[name]?.images)]) await refuseTaken(out, dir);
  const { suspects, made, data: reviewed } = await readSuspects(decisions);
  const dataset = await loadAsItIs(data);
  const fingerprint = await reviewFingerprint(dataset);
  if (fingerprint !== reviewed.fingerprint)
    throw new UserError(`${decisions} is of another data set, or of this one before it was changed: ${dataset.description}.`, {
      hint: `It was made of: ${reviewed.description}. Review the data set as it is now: rfdetr-train data review.`,
    }); // biome-ignore format: one line
  const isAccepted = ({ decision, score }: SuspectRecord) =>
    decision === undefined ? acceptAbove !== undefined && score >= acceptAbove : decision === "accept";
  const accepted = suspects.filter(isAccepted);
  if (accepted.length === 0)
    throw new UserError(`${decisions} accepts nothing, so there is nothing to correct.`, {
      hint: "Accept suspects on the page and download the decisions, or give --accept-above SCORE.",
    });
  const splits = corrected(dataset, accepted, decisions);
  const about = {
    ...{ format: 1, program: `rfdetr-train ${programVersion()}`, date: new Date().toISOString(), made },
    decisions: { file: basename(decisions), sha256: await sha256File(decisions) },
    data: { description: dataset.description, fingerprint },
  };
  const lines = accepted.map((one) => JSON.stringify({ ...one, by: one.decision ? "decision" : "score" }));
  const text = `${JSON.stringify(about).slice(0, -1)},"corrected":[\n${lines.join(",\n")}\n]}\n`;
  const to = COPIED_AS[dataset.layout];
  const { classes: _, ...written } = await writeDataset({ classes: dataset.classes, splits }, { to, out, beside: { [CORRECTIONS]: text } }); // biome-ignore format: one line
  const ownLayout = to !== "coco" || ["coco", "roboflow-coco", "explicit"].includes(dataset.layout);
  const count = (kind: SuspectKind) => accepted.filter((one) => one.kind === kind).length;
  const rejected = suspects.filter(({ decision }) => decision === "reject").length;
  return {
    ...written,
    notes: [
      ...(ownLayout ? [] : [`The layout ${dataset.layout} is read only: the copy is in COCO's.`]),
      ...written.notes,
    ],
    description: dataset.description,
    accepted: { missing: count("missing"), class: count("class"), place: count("place"), double: count("double") },
    ...{ rejected, open: suspects.length - accepted.length - rejected, corrections: `${out}/${CORRECTIONS}` },
  };
}

/** The splits with what was accepted done. */
function corrected(
  { classes, splits }: Dataset,
  accepted: readonly SuspectRecord[],
  file: string,
): LabelledData["splits"] {
  const changed: LabelledData["splits"] = { ...splits };
  for (const name of SPLITS) {
    const [split, own] = [splits[name], accepted.filter((one) => one.split === name)];
    if (own.length === 0) continue;
    if (!split) throw new UserError(`${file} names the split ${name}, which the data set does not have.`);
    changed[name] = correctedSplit(split, own, { classes, file });
  }
  return changed;
}

function correctedSplit(
  split: Split,
  accepted: readonly SuspectRecord[],
  { classes, file }: { classes: readonly ClassEntry[]; file: string },
): Split {
  const known = new Set(split.samples.map(({ imageId }) => imageId));
  const stranger = accepted.find(({ image_id }) => !known.has(image_id));
  if (stranger) throw new UserError(`${file}: suspect ${stranger.id} is of an image that the data set does not have.`);
  let nextId = split.samples.reduce((most, { annotations }) => annotations.reduce((so, { id }) => Math.max(so, id), most), 0) + 1; // biome-ignore format: one line
  const ofImage = new Map<number, SuspectRecord[]>();
  for (const one of accepted) ofImage.set(one.image_id, [...(ofImage.get(one.image_id) ?? []), one]);
  const samples = split.samples.map((sample): Sample => {
    const own = ofImage.get(sample.imageId);
    return own ? correctedSample(sample, own, { classes, file, nextId: () => nextId++ }) : sample;
  });
  return { ...split, samples };
}

/** Labels change first, then those that are doubles go and those that were missing come, so that places stay what they were. */
function correctedSample(
  sample: Sample,
  accepted: readonly SuspectRecord[],
  { classes, file, nextId }: { classes: readonly ClassEntry[]; file: string; nextId: () => number },
): Sample {
  const annotations: (Annotation | null)[] = [...sample.annotations];
  const fail = (id: number, what: string) => new UserError(`${file}: suspect ${id} ${what}.`);
  const classOf = ({ id, found }: SuspectRecord) => {
    const entry = classes.find(({ name }) => name === found!.class);
    if (!entry) throw fail(id, `names the class "${found!.class.slice(0, 100)}", which the data set does not have`);
    return { label: entry.label, categoryId: entry.categoryId };
  };
  const placeOf = ({ found, id }: SuspectRecord) => placeIn(found!, sample, `${file}: suspect ${id}`);
  const added: Annotation[] = [];
  const gone = new Set<number>();
  for (const suspect of accepted) {
    if (suspect.kind === "missing") {
      added.push({ id: nextId(), ...classOf(suspect), ...placeOf(suspect), crowd: false });
      continue;
    }
    const { index } = suspect.label!;
    const before = annotations[index];
    if (!before) throw fail(suspect.id, "is of a label that the data set does not have");
    const { byModel: _, score: __, ...seen } = before; // a person has looked at it now
    if (suspect.kind === "double") gone.add(index);
    else if (suspect.kind === "class") annotations[index] = { ...seen, ...classOf(suspect) };
    else {
      const { mask: ___, ...rest } = seen;
      annotations[index] = { ...rest, ...placeOf(suspect) };
    }
  }
  const kept = annotations.flatMap((one, index) => (one && !gone.has(index) ? [one] : []));
  return { ...sample, annotations: [...kept, ...added] };
}

/** Box, mask and area of what was found. Throws a UserError for a box that lies outside of the picture, and for a mask that cannot be used. */
function placeIn({ bbox: [x, y, across, down], segmentation }: FoundRecord, { width, height }: Sample, where: string) {
  const box: Annotation["box"] = [x, y, x + across, y + down];
  const least = -1; // a box that was rounded
  if (x < least || y < least || (width !== null && box[2] > width + 1) || (height !== null && box[3] > height + 1))
    throw new UserError(`${where} has a box that reaches out of its image.`);
  if (!segmentation) return { box, area: across * down };
  const size = width !== null && height !== null ? ([height, width] as const) : null;
  return { box, mask: segmentation, area: runsArea(maskRuns(segmentation, { size, where })) };
}
