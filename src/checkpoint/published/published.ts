// The published weights of RF-DETR (rfdetr/assets/model_weights.py) by name, from the user's cache or from the network.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { closest } from "../../util/closest.ts";
import { UserError } from "../../util/errors.ts";
import { cacheDir } from "../../util/files.ts";
import { packagePath } from "../../util/package.ts";
import { type DownloadOptions, download } from "./download.ts";

/** A published file. `variant` names the architecture; `file` is how the reference calls it on disk; `bytes` where it is known. */
export type Published = { name: string; variant: string; file: string; url: string; md5: string; bytes?: number };

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
  const { cacheFolder = join(cacheDir(), "weights"), baseUrl, weights = publishedWeights(), ...rest } = options;
  const entry = weights.find((known) => known.name === name || known.file === name);
  if (!entry) {
    const names = weights.map((known) => known.name);
    const meant = closest(name, names);
    throw new UserError(`There are no published weights "${name}".${meant ? ` Did you mean "${meant}"?` : ""}`, {
      hint: `Known: ${names.join(", ")}.`,
    });
  }
  const path = join(cacheFolder, entry.file);
  const { pathname } = new URL(entry.url);
  const url = baseUrl ? `${baseUrl.replace(/\/$/, "")}${pathname}` : entry.url;
  await download(url, path, entry.md5, { ...(entry.bytes !== undefined && { bytes: entry.bytes }), ...rest });
  return path;
}
