// Which image files a person means by paths, folders and patterns, and where pictures made of them go without clashes.

import { existsSync } from "node:fs";
import { mkdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import { UserError } from "../../util/errors.ts";
import { safeName } from "../../util/text/safeName.ts";
import { isWithin } from "../../util/untrusted/regular.ts";
import { listFiles } from "../dataset/listing.ts";
import { IMAGE_EXTENSIONS } from "./decode.ts";
import { FRAMES_HINT, isVideo } from "./video.ts";

/**
 * Image files: a file as it is, all images of a folder and the folders in it, or all that match a pattern (`*`, `?`, `[ab]`,
 * `{jpg,png}` within a name, `**` across folders). Each file once, in the order given. Folders and patterns do not find what
 * lies in the folders `except`. `missing` says of each argument that leads to no image why; `others` are files of folders that
 * are no images. With `streams`, addresses and "-" stand for themselves.
 */
export async function findImages(
  inputs: readonly string[],
  { except = [], streams = false }: { except?: readonly string[]; streams?: boolean } = {},
): Promise<{ paths: string[]; missing: { file: string; error: UserError }[]; others: string[] }> {
  const paths = new Map<string, string>();
  const others = new Set<string>();
  const missing: { file: string; error: UserError }[] = [];
  const excluded = await Promise.all(except.map(real));
  for (const input of inputs) {
    if (streams && isStream(input)) {
      paths.set(input, input);
      continue;
    }
    const found = await expand(input);
    const isOutside = async (path: string) => {
      const place = path === input ? undefined : await real(path);
      return place === undefined || !excluded.some((folder) => isWithin(place, folder));
    };
    if (found.error) missing.push({ file: input, error: found.error });
    for (const path of found.images ?? []) if (await isOutside(path)) paths.set(resolve(path), path);
    for (const path of found.others ?? []) if (await isOutside(path)) others.add(path);
  }
  return { paths: [...paths.values()], missing, others: [...others] };
}

/** Whether this is no file's path but "-", the standard input, or an address over http or https. */
export function isStream(input: string): boolean {
  return input === "-" || /^https?:\/\//i.test(input);
}

type Found = { images: string[]; others?: string[]; error?: undefined } | { images?: undefined; others?: string[]; error: UserError }; // biome-ignore format: one line

async function expand(input: string): Promise<Found> {
  const found = await stat(input).catch(() => undefined);
  if (found && !found.isDirectory())
    return isVideo(input)
      ? { error: new UserError(`${input} is a video, and only pictures are read.`, { hint: FRAMES_HINT }) }
      : { images: [input] };
  const isImage = (file: string) => IMAGE_EXTENSIONS.has(extname(file).toLowerCase());
  if (found) {
    const files = await listFiles(input);
    const [images, others] = [files.filter(isImage), files.filter((file) => !isImage(file))].map((some) => some.map((file) => join(input, file))) as [string[], string[]]; // biome-ignore format: one line
    if (images.length > 0) return { images, others };
    const films = others.some(isVideo);
    const hint = films ? { hint: FRAMES_HINT } : {};
    return { error: new UserError(`The folder ${input} holds no images${films ? ", but videos" : ""}.`, hint), others };
  }
  if (!/[*?[{]/.test(input)) {
    const hint = "Check the path; it is taken relative to the current folder.";
    return { error: new UserError(`There is no file or folder ${input}.`, { hint }) };
  }
  const parts = input.split("/");
  const plain = parts.findIndex((part) => /[*?[{]/.test(part));
  const folder = parts.slice(0, plain).join("/") || (input.startsWith("/") ? "/" : ".");
  const pattern = globPattern(parts.slice(plain).join("/"));
  const files = existsSync(folder)
    ? (await listFiles(folder)).filter((file) => pattern.test(file) && isImage(file))
    : [];
  if (files.length === 0) return { error: new UserError(`No image matches ${input}.`) };
  return { images: files.map((file) => join(folder, file)) };
}

/** A pattern of file names as a regular expression. */
function globPattern(glob: string): RegExp {
  let depth = 0;
  const source = glob.replace(/\*\*\/|\*\*|\*|\?|\[[^\]/]+\]|[{},]|[\\^$.|+()[\]]/g, (token) => {
    if (token === "**/") return "(?:[^/]+/)*";
    if (token === "**") return ".*";
    if (token === "*") return "[^/]*";
    if (token === "?") return "[^/]";
    if (token === "{") return ++depth > 0 ? "(?:" : "";
    if (token === "}") return depth-- > 0 ? ")" : "\\}";
    if (token === ",") return depth > 0 ? "|" : ",";
    if (token.length > 2 && token.startsWith("[")) return token.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
    return `\\${token}`;
  });
  try {
    return new RegExp(`^${source}$`, "u");
  } catch {
    return /$^/; // a brace that is not closed matches nothing
  }
}

const WRITTEN = new Set([".jpg", ".jpeg", ".png", ".webp"]);

/**
 * A name for the picture of each image, below one folder: its path without the folders that all have in common, and with
 * `.png` behind it where its own format is not written; the last part of an address, `stdin` for the standard input. No two
 * are equal, not even where capitals do not count.
 */
export function pictureNames(paths: readonly string[]): string[] {
  const files = paths.filter((path) => !isStream(path));
  const folders = files.map((path) => dirname(resolve(path)).split(sep));
  const [first = []] = folders;
  const differ = first.findIndex((part, i) => folders.some((folder) => folder[i] !== part));
  const root = first.slice(0, differ < 0 ? first.length : differ).join(sep) || sep;
  const taken = new Set<string>();
  return paths.map((path) => {
    const name = isStream(path) ? streamName(path) : relative(root, resolve(path));
    const extension = WRITTEN.has(extname(name).toLowerCase()) ? extname(name) : `${extname(name)}.png`;
    const stem = name.slice(0, name.length - extname(name).length);
    let unique = stem + extension;
    for (let n = 2; taken.has(unique.toLowerCase()); n++) unique = `${stem}-${n}${extension}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
}

function streamName(path: string): string {
  if (path === "-") return "stdin";
  const last = URL.canParse(path) ? basename(new URL(path).pathname) : "";
  try {
    return safeName(decodeURIComponent(last) || "image");
  } catch {
    return safeName(last); // a % that encodes nothing
  }
}

/**
 * The path of a file `name` in `folder`, whose folders are made. Throws a UserError where a link leads out of `folder`.
 */
export async function placeInside(folder: string, name: string): Promise<string> {
  const root = await real(folder);
  let at = folder;
  for (const part of name.split(sep).slice(0, -1)) {
    at = join(at, part);
    if (!isWithin(await real(at), root)) throw new UserError(`${at} is a link that leads out of ${folder}.`, { hint: "Choose another folder to write to." }); // biome-ignore format: one line
    await mkdir(at, { recursive: true });
  }
  return join(folder, name);
}

/** The real place of a path, of which the last parts need not be there. */
async function real(path: string): Promise<string> {
  const absolute = resolve(path);
  return realpath(absolute).catch(async () => {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(await real(parent), basename(absolute));
  });
}
