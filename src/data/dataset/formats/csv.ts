// Boxes as comma-separated values: a row a box, with a header (TensorFlow, Roboflow) or without (Keras RetinaNet).

import { basename, dirname, extname, join } from "node:path";
import { UserError } from "../../../util/errors.ts";
import { readUtf8, refuseEscape } from "../../../util/untrusted/regular.ts";
import { IMAGE_EXTENSIONS } from "../../image/decode.ts";
import { exists, pathEnds } from "../listing.ts";
import { SPLITS, type SplitName } from "../sample.ts";
import { type CsvRow, csvRows } from "./csvTable.ts";
import { beginningOf, type DataFolder, type Folder, inSplits } from "./folder.ts";
import type { Layout } from "./layout.ts";
import { loadNamed, type NamedImage, type NamedSplit, numberIn, problemList, sideIn } from "./named.ts";

/** Bytes of a table: some three million boxes. */
const MOST_BYTES = 256 << 20;
/** Names that say a file is a table of boxes; any other has to look like one. */
const OWN_NAME = /^_annotations\.csv$/i;
/** Images whose names are tried to find the folder of the images. */
const MOST_TRIED = 20;

/** What a column is, by what it may be called, in small letters without anything between them. */
const COLUMNS = {
  image: ["filename", "image", "imagepath", "path", "file", "imagename", "imgpath", "filepath"],
  name: ["class", "label", "classname", "name", "category", "labelname"],
  x1: ["xmin", "x1", "left"],
  y1: ["ymin", "y1", "top"],
  x2: ["xmax", "x2", "right"],
  y2: ["ymax", "y2", "bottom"],
  width: ["width", "imagewidth", "imgwidth"],
  height: ["height", "imageheight", "imgheight"],
} as const;
type Column = keyof typeof COLUMNS;
/** Where each column is; width and height may be nowhere (-1). */
type Columns = Record<Column, number>;

/** Keras RetinaNet's, which have no header. */
const HEADERLESS: Columns = { image: 0, x1: 1, y1: 2, x2: 3, y2: 4, name: 5, width: -1, height: -1 };

/** Tables of boxes in a folder; null where there are none. */
export async function detectCsv(dir: DataFolder): Promise<Layout | null> {
  const named = await namedTables(dir);
  const sources = Object.keys(named).length > 0 ? named : await inSplits(dir, tableIn);
  if (Object.keys(sources).length === 0) return null;
  return {
    name: "csv",
    description: `CSV (a row a box) in ${dir.path}`,
    load: (place) =>
      loadNamed(sources, place, async (path, split) => {
        await refuseEscape(path, place.root ?? dir.path);
        return readSplit(path, { split, dir });
      }),
  };
}

/** Tables whose names say their split: `train.csv`, `test_labels.csv`. */
async function namedTables({ path, files }: Folder): Promise<Partial<Record<SplitName, string>>> {
  const found: Partial<Record<SplitName, string>> = {};
  const words = { train: "train", val: "val|valid|validation", test: "test" };
  for (const split of SPLITS) {
    const pattern = new RegExp(`^((annotations|labels|boxes)[_-])?(${words[split]})([_-](annotations|labels|boxes))?\\.csv$`, "i"); // biome-ignore format: one line
    for (const name of files.filter((one) => pattern.test(one)))
      if (!found[split] && (await looksRight(join(path, name)))) found[split] = join(path, name);
  }
  return found;
}

/** The table of a folder: the one that is called so, or the only one that looks like a table of boxes. */
async function tableIn({ path, files }: Folder): Promise<string | null> {
  const own = files.find((name) => OWN_NAME.test(name));
  if (own) return join(path, own);
  const found: string[] = [];
  for (const name of files.filter((one) => /\.csv$/i.test(one)).slice(0, 20))
    if (await looksRight(join(path, name))) found.push(join(path, name));
  if (found.length < 2) return found[0] ?? null;
  throw new UserError(`Several tables of boxes lie in ${path}: ${found.map((one) => basename(one)).join(", ")}.`, {
    hint: "Call them train.csv, val.csv and test.csv, or keep one.",
  });
}

async function looksRight(path: string): Promise<boolean> {
  const [first] = csvRows((await beginningOf(path)).split(/\r?\n/, 1)[0]!);
  return first !== undefined && columnsOf(first) !== null;
}

/** The columns that a first row names; null where it is neither a header nor a row of Keras RetinaNet's. */
function columnsOf({ fields }: CsvRow): { columns: Columns; header: boolean } | null {
  const names = fields.map((field) => field.toLowerCase().replaceAll(/[^a-z0-9]/g, ""));
  const columns = Object.fromEntries(
    Object.entries(COLUMNS).map(([column, called]) => [column, names.findIndex((name) => (called as readonly string[]).includes(name))]), // biome-ignore format: one line
  ) as Columns;
  const needed = ["image", "name", "x1", "y1", "x2", "y2"] as const;
  if (needed.every((column) => columns[column] >= 0)) return { columns, header: true };
  const sides = fields.slice(1, 5);
  const isRow = sides.every((side) => side === "") || sides.every((side) => Number.isFinite(numberIn(side)));
  const isHeaderless = fields.length === 6 && isRow && IMAGE_EXTENSIONS.has(extname(fields[0]!).toLowerCase());
  return isHeaderless ? { columns: HEADERLESS, header: false } : null;
}

async function readSplit(path: string, { split, dir }: { split: SplitName; dir: DataFolder }): Promise<NamedSplit> {
  const { problems, report } = problemList(split);
  const text = await readUtf8(path, { most: MOST_BYTES, kind: "table of boxes" });
  const [first] = csvRows(text);
  const found = first && columnsOf(first);
  if (!found)
    throw new UserError(`${path} is no table of boxes: its first row is ${JSON.stringify(first?.fields.join(",").slice(0, 200) ?? "")}.`, {
      hint: "It needs the columns filename, class, xmin, ymin, xmax, ymax (and width, height), or rows of path, x1, y1, x2, y2, class without a header.",
    }); // biome-ignore format: one line
  const { columns, header } = found;
  const width = first.fields.length;
  const byName = new Map<string, NamedImage>();
  for (const row of csvRows(text)) {
    if (header && row.line === first.line) continue;
    const place = `line ${row.line}`;
    const wrong = (says: string) => report("malformed", "error", path, `${path}, ${place} ${says}.`);
    if (row.fields.length !== width) {
      wrong(`has ${row.fields.length} fields, the first one ${width}`);
      continue;
    }
    const field = (column: Column) => row.fields[columns[column]] ?? "";
    const name = field("image");
    if (name === "") {
      wrong("names no image");
      continue;
    }
    const size = { width: sideIn(field("width")), height: sideIn(field("height")) };
    const image = byName.get(name) ?? newImage(path, name, size);
    byName.set(name, image);
    if (image.width !== size.width || image.height !== size.height)
      report("size-differs", "warning", name, `${path}, ${place} says another size of ${name} than a line before.`);
    const sides = [field("x1"), field("y1"), field("x2"), field("y2")] as const;
    if (field("name") === "" && sides.every((side) => side === "")) continue; // an image without a box
    const [x1, y1, x2, y2] = sides.map(numberIn) as [number, number, number, number];
    image.objects.push({ name: field("name"), box: [x1, y1, x2, y2], place });
  }
  const entries = [...byName.values()];
  const images = await imagesOf(path, { split, dir, entries });
  return { images, annotations: path, entries, problems };
}

function newImage(from: string, name: string, size: { width: number | null; height: number | null }): NamedImage {
  return { from, names: [name, ...pathEnds(name)], stem: null, ...size, objects: [] };
}

/** The folder that the first images are in: that of the table, or one that is called as such folders are. */
async function imagesOf(
  path: string,
  { split, dir, entries }: { split: SplitName; dir: DataFolder; entries: readonly NamedImage[] },
): Promise<string> {
  const own = dirname(path);
  const ofSplit = dir.splits.find(([name]) => name === split)![1].map((folder) => folder.path);
  const candidates = [own, join(own, "images"), ...ofSplit.flatMap((folder) => [folder, join(folder, "images")]), join(own, "images", split)]; // biome-ignore format: one line
  for (const { names } of entries.slice(0, MOST_TRIED))
    for (const name of names)
      for (const folder of candidates) if (await exists(join(folder, name.replaceAll("\\", "/")))) return folder;
  return own;
}
