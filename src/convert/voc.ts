// A data set as Pascal VOC: the folders of the VOC devkit, with coordinates as edges from 0, as tools write them today.

import { join } from "node:path";
import { aboutEntry, MARK_KEY } from "../data/dataset/byModel/marks.ts";
import { stemOf } from "../data/dataset/formats/named.ts";
import { type Annotation, type ModelMark, SPLITS } from "../data/dataset/sample.ts";
import { UserError } from "../util/errors.ts";
import { byFile, type Losses, lose, onePolygon, putFile, type Writer, type WrittenPicture } from "./writer.ts";

export const VOC_WRITER: Writer = {
  imagesOf: () => "JPEGImages",
  ...{ shared: true, byStem: true, measured: false },
  write: async ({ out, splits, classes, losses, notes }) => {
    const names = new Map(classes.map(({ label, name }) => [label, writable(name, "the class")]));
    const used = new Set<number>();
    for (const split of SPLITS) {
      const placed = splits[split];
      if (!placed) continue;
      const stems: string[] = [];
      for (const picture of byFile(placed)) {
        const stem = stemOf(picture.file);
        const objects = picture.annotations.map((one) => objectOf(one, names.get(one.label)!, losses));
        for (const { label } of picture.annotations) used.add(label);
        await putFile(join(out, "Annotations", `${stem}.xml`), annotationOf(picture, objects));
        stems.push(`${stem}\n`);
      }
      await putFile(join(out, "ImageSets", "Main", `${split}.txt`), stems.join(""));
    }
    const unused = classes.filter(({ label }) => !used.has(label)).map(({ name }) => name);
    if (unused.length > 0) notes.push(`Nothing names the classes without an object now: ${unused.join(", ")}.`);
    const sorted = classes.map(({ name }) => name).sort();
    if (classes.some(({ name }, i) => name !== sorted[i])) notes.push("Classes have no numbers now: who reads them counts in the order of their names."); // biome-ignore format: one line
  },
};

function annotationOf({ file, width, height, byModel }: WrittenPicture, objects: readonly string[]): string {
  return `<annotation>
  <folder>JPEGImages</folder>
  <filename>${writable(file, "the file")}</filename>
  <source><database>Unknown</database>${sourceOf(byModel)}</source>
  <size><width>${width}</width><height>${height}</height><depth>3</depth></size>
  <segmented>0</segmented>
${objects.join("")}</annotation>
`;
}

/** How the labels of a file were made: each element in a line of its own, so that it can be removed with any tool. */
function sourceOf(mark: ModelMark | undefined): string {
  if (!mark) return "";
  const { status, ...about } = aboutEntry(mark);
  const all = Object.entries(about).map(([key, value]) => `<${key}>${asXml(String(value))}</${key}>`);
  return `<annotation>${status}</annotation>\n    <${MARK_KEY}>${all.join("")}</${MARK_KEY}>\n  `;
}

function objectOf(annotation: Annotation, name: string, losses: Losses): string {
  const { box, mask, crowd, keypoints, byModel, score } = annotation;
  const polygon = onePolygon(annotation);
  if (mask && !polygon) lose(losses, "Masks of several parts or of run lengths, which are left out");
  if (keypoints) lose(losses, "Objects with key points, which are left out");
  if (crowd) lose(losses, "Crowd regions, which are difficult objects now");
  const [xmin, ymin, xmax, ymax] = box;
  const sides = Object.entries({ xmin, ymin, xmax, ymax }).map(([key, side]) => `<${key}>${side}</${key}>`);
  const corners = (polygon ?? []).map((value, i) => {
    const key = `${i % 2 === 0 ? "x" : "y"}${1 + (i >> 1)}`;
    return `<${key}>${value}</${key}>`;
  });
  return `  <object>
    <name>${name}</name>
    <pose>Unspecified</pose>
    <truncated>0</truncated>
    <difficult>${crowd ? 1 : 0}</difficult>
    <bndbox>${sides.join("")}</bndbox>
${corners.length > 0 ? `    <polygon>${corners.join("")}</polygon>\n` : ""}${score === undefined ? "" : `    <score>${score}</score>\n`}${byModel ? `    <${MARK_KEY}>${asXml(byModel.model)}</${MARK_KEY}>\n` : ""}  </object>
`;
}

/** A name as text of XML. Throws a UserError where XML cannot hold it. */
function writable(name: string, what: string): string {
  if (name !== name.trim() || /[\p{Cc}\p{Cs}\ufffe\uffff]/u.test(name))
    throw new UserError(`${what} ${JSON.stringify(name)} has a name that XML cannot hold.`, {
      hint: "Rename it, or convert to coco or yolo.",
    });
  return asXml(name);
}

function asXml(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}\ufffe\uffff]/gu, " ").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"); // biome-ignore format: one line
}
