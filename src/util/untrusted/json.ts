// JSON of people and of foreign files: its depth is bounded, so that whatever walks through its values can do so.

import { UserError } from "../errors.ts";
import { visible } from "../visible.ts";

/** Levels of lists and objects that a JSON file has at most. */
export const MOST_JSON_LEVELS = 100;

/**
 * The value of a JSON text, which may begin with a byte-order mark. With `bareNumbers`, NaN and Infinity, which Python writes,
 * are read as null. Throws a UserError that names `source` where the text is no JSON or is nested deeper than 100 levels.
 */
export function parseJson(
  text: string,
  source: string,
  { bareNumbers = false }: { bareNumbers?: boolean } = {},
): unknown {
  const clean = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  checkDepth(clean, source);
  return parseCheckedJson(clean, source, { bareNumbers });
}

/** Whether a value of JSON or YAML has keys: no list, and not null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The same as `parseJson` of a text whose depth was checked, and without a byte-order mark. */
export function parseCheckedJson(
  text: string,
  source: string,
  { bareNumbers = false }: { bareNumbers?: boolean } = {},
): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const notFinite = /\b(?:NaN|Infinity)\b/.test(text);
    if (notFinite && bareNumbers) {
      try {
        return JSON.parse(withoutBareNumbers(text));
      } catch {} // the first failure is the one to report
    }
    throw new UserError(`${source} is not valid JSON: ${visible((cause as Error).message).slice(0, 200)}.`, {
      hint:
        notFinite && !bareNumbers ? "JSON has no NaN or Infinity." : "Is the file complete? Write or export it again.",
      cause,
    });
  }
}

/** Where the string that begins at `start` (a quotation mark) ends: the place of its last mark, or -1. Linear in its length. */
export function jsonStringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return -1;
}

/** JSON.parse copes with any depth, but what it gives would then be too deep for every function that calls itself. */
function checkDepth(text: string, source: string): void {
  let level = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) {
      const end = jsonStringEnd(text, i);
      if (end < 0) return; // the parser says what is wrong
      i = end;
    } else if (code === 0x7b || code === 0x5b) {
      if (++level > MOST_JSON_LEVELS) throw tooDeep(source);
    } else if (code === 0x7d || code === 0x5d) level--;
  }
}

/** The error for JSON that is nested too deeply. */
export function tooDeep(source: string): UserError {
  return new UserError(`${source} is JSON that is nested deeper than ${MOST_JSON_LEVELS} levels.`, {
    hint: "No file of this kind needs that: it is damaged, or made to do harm.",
  });
}

function withoutBareNumbers(text: string): string {
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    const start = text.indexOf('"', at);
    const end = start < 0 ? -1 : jsonStringEnd(text, start);
    const until = start < 0 ? text.length : start;
    parts.push(text.slice(at, until).replace(/-?\b(?:NaN|Infinity)\b/g, "null"));
    at = end < 0 ? text.length : end + 1;
    parts.push(text.slice(until, at));
  }
  return parts.join("");
}

/** Whether a value of JSON is a list of numbers. */
export function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => typeof one === "number");
}
