// Which group an image belongs to by the name of its file: a video, a patient, the picture that augmented copies were made of.

import { UserError } from "../util/errors.ts";

/** What Roboflow puts between the name of a picture and its extension; copies of one picture differ in nothing else. */
const ROBOFLOW = /\.rf\.[0-9a-z]{8,}(?=\.[a-z0-9]+$)/i;

/**
 * The group of each file. `pattern`: a regular expression on the file's name (with its folders, "/" between them), of which the
 * first part in brackets names the group; a file that it does not find is a group of its own, and `alone` counts these. Null: the
 * file without Roboflow's suffix. Throws a UserError where the pattern cannot be used, or finds nothing at all.
 */
export function groupsOf(files: readonly string[], pattern: string | null): { keys: string[]; alone: number } {
  if (pattern === null) return { keys: files.map((file) => file.replace(ROBOFLOW, "")), alone: 0 };
  const expression = compiled(pattern);
  let alone = 0;
  const keys = files.map((file) => {
    const group = expression.exec(file.replaceAll("\\", "/"))?.[1];
    if (group !== undefined) return `group ${group}`;
    alone++;
    return `file ${file}`;
  });
  if (alone === files.length && files.length > 0)
    throw new UserError(`data.group (${pattern}) finds no group in any file name, the first of which is ${files[0]}.`, {
      hint: "It is a regular expression with the part in brackets that names the group: ^(.+?)_frame for clip7_frame12.jpg.",
    });
  return { keys, alone };
}

function compiled(pattern: string): RegExp {
  let expression: RegExp;
  try {
    expression = new RegExp(pattern);
  } catch (cause) {
    throw new UserError(`data.group is no regular expression: ${(cause as Error).message}.`, { cause });
  }
  if (new RegExp(`${pattern}|`).exec("")!.length > 1) return expression;
  throw new UserError(`data.group (${pattern}) has no part in brackets that names the group.`, {
    hint: "For clip7_frame12.jpg: ^(.+?)_frame",
  });
}
