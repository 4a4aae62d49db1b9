// A zip file in the place of a data set's folder: unpacked once, beside it.

import { stat } from "node:fs/promises";
import { unpackZip } from "../../../util/untrusted/zip/zip.ts";

/** The folder of what is in a zip file; any other path as it is. Throws a UserError where it cannot be unpacked. */
export async function orUnpacked(path: string): Promise<string> {
  if (!/\.zip$/i.test(path)) return path;
  const facts = await stat(path).catch(() => null);
  return facts === null || facts.isDirectory() ? path : unpackZip(path);
}
