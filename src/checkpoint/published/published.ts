// Weights by name: those that the makers of RF-DETR publish (rfdetr/assets/model_weights.py), from the user's cache or from the network, and
// our own, which come with this package.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { closest } from "../../util/closest.ts";
import { UserError } from "../../util/errors.ts";
import { cacheDir } from "../../util/files.ts";
import { packagePath } from "../../util/package.ts";
import { type DownloadOptions, download, md5Of } from "./download.ts";

/**
 * A published file. `variant` names the architecture; `file` is how the reference calls it on disk; `bytes` where it is known. Without
 * `url` it lies in the package's folder `checkpoints`.
 */
export type Published = { name: string; variant: string; file: string; url?: string; md5: string; bytes?: number };

let list: Published[] | undefined;

/** All published weights, in the manifest's order. */
export function publishedWeights(): Published[] {
  list ??= JSON.parse(readFileSync(packagePath("checkpoints/published.json"), "utf8")) as Published[];
  return list;
}

/** The entry of a name such as "rf-detr-nano" (or of its file name), if there is one. */
export function findPublished(name: string): Published | undefined {
  return publishedWeights().find((entry) => entry.name === name || entry.file === name);
}

/** Where the file of an entry lies, or will once it is downloaded. */
export function publishedPath({ url, file }: Published, cacheFolder = join(cacheDir(), "weights")): string {
  return url === undefined ? packagePath(`checkpoints/${file}`) : join(cacheFolder, file);
}

export type FetchOptions = DownloadOptions & {
  /** Where the files are kept; the user's cache where it is not given. */
  cacheFolder?: string;
  /** Takes the place of the scheme, host and port of the address, for a mirror or a test. */
  baseUrl?: string;
  /** The manifest, for a test. */
  weights?: Published[];
};

/**
 * The path of published weights, downloaded where the cache lacks them. The checksum is verified in either case.
 * @throws UserError for an unknown name, and where the download fails, with the address and where to put the file by hand
 */
export async function fetchPublished(name: string, options: FetchOptions = {}): Promise<string> {
  const { cacheFolder, baseUrl, weights = publishedWeights(), ...rest } = options;
  const entry = weights.find((known) => known.name === name || known.file === name);
  if (!entry) {
    const names = weights.map((known) => known.name);
    const meant = closest(name, names);
    throw new UserError(`There are no published weights "${name}".${meant ? ` Did you mean "${meant}"?` : ""}`, {
      hint: `Known: ${names.join(", ")}.`,
    });
  }
  const path = publishedPath(entry, cacheFolder);
  if (entry.url === undefined) return requirePackaged(path, entry);
  const { pathname } = new URL(entry.url);
  const url = baseUrl ? `${baseUrl.replace(/\/$/, "")}${pathname}` : entry.url;
  await download(url, path, entry.md5, { ...(entry.bytes !== undefined && { bytes: entry.bytes }), ...rest });
  return path;
}

/** The path, where the file has its checksum. */
async function requirePackaged(path: string, { name, md5 }: Published): Promise<string> {
  const found = await md5Of(path);
  if (found === md5) return path;
  throw new UserError(
    `The weights ${name} of this package are ${found === undefined ? "missing" : "damaged"}: ${path}`,
    {
      hint: "Install the package again.",
    },
  );
}
