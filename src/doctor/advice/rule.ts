// What a rule of advice is: numbers of a run in, a sentence that names them and what would help out.

import type { RunNumbers } from "./numbers.ts";

/** `text` has the numbers that it is made of; `todo` a command or a key of the recipe. */
export type Finding = { text: string; todo: string };

/** Null where the numbers are missing, or say nothing of the kind. */
export type Rule = (run: RunNumbers) => Finding | null;

export function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0 && share < 0.01 ? 1 : 0)} %`;
}
