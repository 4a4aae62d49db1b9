// Pascal VOC: an XML file an image, in the folders of the VOC devkit or beside the images, as Roboflow and LabelImg have it.

import { basename, join, sep } from "node:path";
import type { Mask } from "../../../instance/instance.ts";
import { maskBox } from "../../../instance/maskBox.ts";
import { UserError } from "../../../util/errors.ts";
import { readUtf8, refuseEscape } from "../../../util/untrusted/regular.ts";
import { childOf, readXml, textIn, type XmlElement } from "../../../util/untrusted/xml/xml.ts";
import { MARK_KEY, markReader, scoreIn } from "../byModel/marks.ts";
import { listFiles } from "../listing.ts";
import type { Annotation, SplitName } from "../sample.ts";
import {
  anyBegins,
  type DataFolder,
  type Folder,
  fileNamed,
  filesOf,
  inSplits,
  openFolder,
  subfolder,
} from "./folder.ts";
import type { Layout } from "./layout.ts";
import {
  loadNamed,
  type NamedImage,
  type NamedObject,
  type NamedSplit,
  numberIn,
  problemList,
  type Report,
  readEach,
  sideIn,
  stemOf,
} from "./named.ts";

const MOST_XML_BYTES = 16 << 20;
/** Bytes of a list of images. */
const MOST_LIST_BYTES = 256 << 20;

/** Where XML files and images of a split are; `list`: the file that names those of the split, where there is one. */
type Source = { xml: string; images: string; list: string | null };

/** Pascal VOC in a folder; null where there is none. */
export async function detectVoc(dir: DataFolder): Promise<Layout | null> {
  const sources = (await devkit(dir)) ?? (await inSplits(dir, sourceIn));
  if (Object.keys(sources).length === 0) return null;
  const listed = Object.values(sources).some(({ list }) => list !== null);
  const where = listed ? "Annotations/, JPEGImages/ and ImageSets/Main/" : "an XML file an image";
  return {
    name: "voc",
    description: `Pascal VOC (${where}) in ${dir.path}`,
    load: async (place) => {
      const counts: Counts = { files: 0, fromOne: 0, difficult: 0 };
      const root = place.root ?? dir.path;
      const loaded = await loadNamed(sources, place, (source, split) => readSplit(source, { split, root, counts }));
      return { ...loaded, note: noteOf(counts) };
    },
  };
}

/** Files that were read, those of them whose pixels count from 1, and objects that are marked as difficult. */
type Counts = { files: number; fromOne: number; difficult: number };

function noteOf({ files, fromOne, difficult }: Counts): string {
  const some = fromOne === files ? "" : ` in ${fromOne} of ${files} files`;
  const pixels =
    fromOne === 0 ? "coordinates as they are written" : `coordinates counted from 1, as PASCAL's own are${some}`;
  return difficult === 0 ? pixels : `${pixels}; ${difficult} difficult objects, which count as crowds`;
}

/** The splits that the lists of a devkit name; null where it has none. A list of another name alone is taken for `train`. */
async function devkit(dir: DataFolder): Promise<Partial<Record<SplitName, Source>> | null> {
  const own = await sourceIn(dir);
  const sets = subfolder(dir, ["ImageSets"]);
  const main = sets && subfolder(await openFolder(sets), ["Main"]);
  if (!own || !main) return null;
  const lists = await openFolder(main);
  const named = { train: ["train.txt"], val: ["val.txt", "valid.txt", "validation.txt"], test: ["test.txt"] };
  const sources: Partial<Record<SplitName, Source>> = {};
  for (const [name, files] of Object.entries(named) as [SplitName, string[]][]) {
    const list = fileNamed(lists, files.flatMap((file) => [file, `${file[0]!.toUpperCase()}${file.slice(1)}`])); // biome-ignore format: one line
    if (list) sources[name] = { ...own, list };
  }
  const whole = fileNamed(lists, ["trainval.txt", "default.txt"]);
  if (!sources.train && !sources.val && whole) sources.train = { ...own, list: whole };
  return Object.keys(sources).length > 0 ? sources : null;
}

/** A folder with a folder of XML files and one of images, or with XML files beside the images. */
async function sourceIn(folder: Folder, split: SplitName | null = null): Promise<Source | null> {
  const annotations = subfolder(folder, ["Annotations"]);
  const images = subfolder(folder, ["JPEGImages", "images"]) ?? folder.path;
  if (annotations && (await hasVoc(annotations, (await listFiles(annotations)).filter(isXml))))
    return { xml: annotations, images, list: null };
  const isVoc = await hasVoc(folder.path, await filesOf(folder, isXml, split));
  return isVoc ? { xml: folder.path, images: folder.path, list: null } : null;
}

const isXml = (name: string) => /\.xml$/i.test(name);

function hasVoc(folder: string, names: readonly string[]): Promise<boolean> {
  return anyBegins(folder, names, (text) => /<annotation[\s>]/.test(text.replaceAll("\0", "")));
}

async function readSplit(
  { xml, images, list }: Source,
  { split, root, counts }: { split: SplitName; root: string; counts: Counts },
): Promise<NamedSplit> {
  const { problems, report } = problemList(split);
  const all = (await listFiles(xml)).filter(isXml).map((name) => name.split(sep).join("/"));
  const files = list === null ? all : await listedFiles(list, { root, all, xml, report });
  const extras = { parts: 0, first: "" };
  const entries = await readEach(files, { folder: xml, root, report }, async (path, name) => {
    const annotation = await readXml(path, { most: MOST_XML_BYTES });
    if (annotation.name !== "annotation")
      throw new UserError(`${path} is no annotation of Pascal VOC: its outermost element is <${annotation.name}>.`);
    return entryOf(annotation, { path, name, counts, extras, report });
  });
  if (extras.parts > 0)
    report("not-boxes", "warning", xml, `${xml}: ${extras.parts} <part> elements are not read, the first in ${extras.first}.`); // biome-ignore format: one line
  return { images, annotations: list ?? xml, entries, problems };
}

/** The XML files that a list names: a line an image, as its name without an extension. */
async function listedFiles(
  list: string,
  { root, all, xml, report }: { root: string; all: readonly string[]; xml: string; report: Report },
): Promise<string[]> {
  await refuseEscape(list, root);
  const known = new Map(all.map((name) => [stemOf(name).normalize("NFC"), name]));
  const found = new Set<string>();
  const lines = (await readUtf8(list, { most: MOST_LIST_BYTES })).split(/\r?\n/);
  for (const [i, line] of lines.entries()) {
    const id = line.replace(/^\ufeff/, "").trim().replaceAll("\\", "/"); // biome-ignore format: one line
    if (id === "") continue;
    const without = id.replace(/\s+-?[01]$/, ""); // the lists of a class say whether an image has it
    const name = [id, stemOf(id), without].map((one) => known.get(one.normalize("NFC"))).find((one) => one !== undefined); // biome-ignore format: one line
    const at = `${list}, line ${i + 1}`;
    if (name === undefined) report("unread-labels", "error", id, `${at} names ${id}, which has no XML file in ${xml}.`);
    else if (found.has(name)) report("duplicate-image", "warning", id, `${at} names ${id}, as a line before does.`);
    else found.add(name);
  }
  return [...found];
}

type Extras = { parts: number; first: string };

function entryOf(
  annotation: XmlElement,
  { path, name, counts, extras, report }: { path: string; name: string; counts: Counts; extras: Extras; report: Report }, // biome-ignore format: one line
): NamedImage {
  const source = childOf(annotation, "source");
  const made = childOf(source, MARK_KEY);
  const markIn = markReader(path, [aboutIn(made)]);
  const byModel = made && markIn(textIn(made, "model") || true);
  const fromOne = /pascal\s*voc/i.test(textIn(source, "annotation")) || /\bvoc\s?\d{4}/i.test(textIn(source, "database")); // biome-ignore format: one line
  counts.files++;
  if (fromOne) counts.fromOne++;
  const size = childOf(annotation, "size");
  const called = textIn(annotation, "filename").replaceAll("\\", "/");
  const beside = called === "" || !name.includes("/") ? [] : [join(name, "..", called)];
  const objects: NamedObject[] = [];
  for (const [i, object] of annotation.children.filter((child) => child.name === "object").entries()) {
    const parts = object.children.filter((child) => child.name === "part").length;
    if (parts > 0 && extras.parts === 0) extras.first = path;
    extras.parts += parts;
    const place = `object ${i + 1}`;
    const wrong = (kind: "malformed" | "mask-unusable", says: string) =>
      report(kind, kind === "malformed" ? "error" : "warning", path, `${path}, ${place} ${says}.`);
    const found = objectOf(object, { place, from: fromOne ? 1 : 0, wrong });
    if (!found) continue;
    if (found.crowd) counts.difficult++;
    const own = childOf(object, MARK_KEY);
    const mark = own && markIn(own.text || true);
    const score = mark && scoreIn(numberIn(textIn(object, "score")));
    objects.push({ ...found, ...(mark && { byModel: mark }), ...(score !== undefined && { score }) });
  }
  return {
    from: path,
    names: called === "" ? [] : [...beside, called, ...(called.includes("/") ? [basename(called)] : [])],
    stem: stemOf(name),
    width: sideIn(textIn(size, "width")),
    height: sideIn(textIn(size, "height")),
    objects,
    byModel,
  };
}

/** How the labels of a file were made, as it says itself. */
function aboutIn(mark: XmlElement | undefined): Record<string, unknown> {
  return Object.fromEntries((mark?.children ?? []).map(({ name, text }) => [name, text]));
}

/**
 * An object; null where it has no box, which was said. PASCAL's own files count pixels from 1 and name the last one inside:
 * xmin and ymin less `from` are the edges. Everybody else writes edges.
 */
function objectOf(
  object: XmlElement,
  { place, from, wrong }: { place: string; from: 0 | 1; wrong: (kind: "malformed" | "mask-unusable", says: string) => void }, // biome-ignore format: one line
): NamedObject | null {
  const boxes = object.children.filter((child) => child.name === "bndbox");
  const polygon = polygonOf(object, from);
  if (polygon === null) wrong("mask-unusable", "has a polygon that is not x1, y1, x2, y2, x3, y3 and so on");
  const mask: Mask | undefined = polygon ? { polygons: [polygon] } : undefined;
  if (boxes.length > 1 || (boxes.length === 0 && !mask)) {
    wrong("malformed", boxes.length > 1 ? `has ${boxes.length} boxes` : `has no <bndbox>${otherBox(object)}`);
    return null;
  }
  const side = (name: string, less: number) => numberIn(textIn(boxes[0], name)) - less;
  const box: Annotation["box"] =
    boxes.length === 0 ? maskBox(mask!)! : [side("xmin", from), side("ymin", from), side("xmax", 0), side("ymax", 0)];
  const crowd = /^(1|true)$/i.test(textIn(object, "difficult"));
  return { name: textIn(object, "name"), box, crowd, place, ...(mask && { mask }) };
}

function otherBox(object: XmlElement): string {
  const other = object.children.find(({ name }) => /box|rotated/i.test(name));
  return other ? `; its <${other.name}> is not read` : "";
}

/** The corners of a polygon as Roboflow writes it; undefined where there is none, null where it is another kind. */
function polygonOf(object: XmlElement, from: 0 | 1): number[] | null | undefined {
  const polygon = childOf(object, "polygon");
  if (!polygon) return undefined;
  const corners: number[] = [];
  for (let i = 1; 2 * i <= polygon.children.length; i++)
    for (const axis of ["x", "y"]) corners.push(numberIn(textIn(polygon, `${axis}${i}`)) - from);
  const isWhole = polygon.children.length === corners.length && corners.length >= 6;
  return isWhole && corners.every(Number.isFinite) ? corners : null;
}
