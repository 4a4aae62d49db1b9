// LabelMe: a JSON file beside each image, whose shapes are rectangles and polygons; other shapes are named and not read.

import { sep } from "node:path";
import { maskBox } from "../../../instance/maskBox.ts";
import { UserError } from "../../../util/errors.ts";
import { isObject, parseJson } from "../../../util/untrusted/json.ts";
import { readUtf8 } from "../../../util/untrusted/regular.ts";
import { listFiles } from "../listing.ts";
import type { Annotation, SplitName } from "../sample.ts";
import { anyBegins, type DataFolder, type Folder, filesOf, inSplits } from "./folder.ts";
import type { Layout } from "./layout.ts";
import {
  besideOf,
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

/** Bytes of a file, which may hold its picture, too. */
const MOST_BYTES = 256 << 20;

/** LabelMe's files in a folder; null where there are none. */
export async function detectLabelme(dir: DataFolder): Promise<Layout | null> {
  const sources = await inSplits(dir, folderOf);
  if (Object.keys(sources).length === 0) return null;
  return {
    name: "labelme",
    description: `LabelMe (a JSON file beside each image) in ${dir.path}`,
    load: (place) =>
      loadNamed(sources, place, (folder, split) => readSplit(folder, { split, root: place.root ?? dir.path })),
  };
}

const isJson = (name: string) => /\.json$/i.test(name) && !/\.(coco|createml)\.json$/i.test(name);
const isShapes = (text: string) => /"shapes"\s*:\s*\[/.test(text);

async function folderOf(folder: Folder, split: SplitName | null): Promise<string | null> {
  return (await anyBegins(folder.path, await filesOf(folder, isJson, split), isShapes)) ? folder.path : null;
}

async function readSplit(folder: string, { split, root }: { split: SplitName; root: string }): Promise<NamedSplit> {
  const { problems, report } = problemList(split);
  const names = (await listFiles(folder)).filter(isJson);
  const entries = await readEach(names, { folder, root, report }, async (path, name) => {
    const file = parseJson(await readUtf8(path, { most: MOST_BYTES, kind: "file of LabelMe" }), path, {
      bareNumbers: true,
    });
    if (!isObject(file) || !Array.isArray(file.shapes))
      throw new UserError(`${path} is no file of LabelMe: it has no list "shapes".`);
    return entryOf(file, { path, name: name.split(sep).join("/"), report });
  });
  return { images: folder, annotations: folder, entries, problems };
}

/** Where a file is in its split, and how what is wrong with it is said. */
type At = { path: string; name: string; report: Report };

function entryOf(file: Record<string, unknown>, { path, name, report }: At): NamedImage {
  const called = typeof file.imagePath === "string" ? file.imagePath.replaceAll("\\", "/") : "";
  const shapes = (file.shapes as unknown[]).flatMap((shape, i) => shapeOf(shape, `shape ${i + 1}`, { path, report }));
  return {
    from: path,
    names: called === "" ? [] : [called.startsWith("/") ? called : besideOf(name, called)],
    stem: stemOf(name),
    width: sideIn(file.imageWidth),
    height: sideIn(file.imageHeight),
    objects: grouped(shapes),
  };
}

/** A rectangle, or a polygon with its corners. */
type Shape = NamedObject & { corners: number[]; isBox: boolean; group: string | null };

function shapeOf(shape: unknown, place: string, { path, report }: Omit<At, "name">): Shape[] {
  const wrong = (says: string): Shape[] => {
    report("malformed", "error", path, `${path}, ${place} ${says}.`);
    return [];
  };
  if (!isObject(shape)) return wrong("is not an object");
  const { label, points, shape_type: kind = "polygon", group_id: group } = shape;
  if (typeof label !== "string") return wrong('has no "label"');
  if (kind !== "rectangle" && kind !== "polygon") {
    const shown = typeof kind === "string" ? kind.slice(0, 40) : "something else";
    report("not-boxes", "warning", path, `${path}, ${place} (${label}) is a ${shown}, which is not read: rectangles and polygons are.`); // biome-ignore format: one line
    return [];
  }
  if (!Array.isArray(points) || !points.every((point) => Array.isArray(point) && point.length === 2))
    return wrong('has no list "points" of pairs');
  const isBox = kind === "rectangle";
  if (isBox ? points.length !== 2 && points.length !== 4 : points.length < 3)
    return wrong(`is a ${kind} of ${points.length} points`);
  const corners = (points as unknown[][]).flat().map(numberIn);
  const box = corners.every(Number.isFinite) ? maskBox({ polygons: [corners] })! : NOWHERE;
  const [x1, y1, x2, y2] = box;
  return [
    {
      ...{ name: label, box, place, isBox, crowd: shape.difficult === true },
      corners: isBox ? [x1, y1, x2, y1, x2, y2, x1, y2] : corners,
      group: group === null || group === undefined ? null : JSON.stringify([label, group]),
    },
  ];
}

const NOWHERE: Annotation["box"] = [Number.NaN, Number.NaN, Number.NaN, Number.NaN];

/** Shapes of one label and one group are parts of one object, as LabelMe's own converters have it; a rectangle alone has no mask. */
function grouped(shapes: readonly Shape[]): NamedObject[] {
  const parts = new Map<string, Shape[]>();
  for (const [i, shape] of shapes.entries()) {
    const key = shape.group ?? String(i);
    parts.set(key, [...(parts.get(key) ?? []), shape]);
  }
  return [...parts.values()].map((all): NamedObject => {
    const [{ name, place, box, crowd = false, isBox }] = all as [Shape, ...Shape[]];
    if (all.length === 1 && isBox) return { name, place, box, crowd };
    const mask = { polygons: all.map(({ corners }) => corners) };
    const faulty = all.some((one) => one.box === NOWHERE);
    return { name, place, crowd, box: faulty ? NOWHERE : maskBox(mask)!, ...(!faulty && { mask }) };
  });
}
