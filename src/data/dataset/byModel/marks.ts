// The mark of labels that a model made and no person has seen: how the layouts write it, and what a mark in a file means.

import { isObject } from "../../../util/untrusted/json.ts";
import type { ModelLabels, ModelMark, Sample } from "../sample.ts";

/** The key, element and list of the mark in every layout that can hold one. */
export const MARK_KEY = "made_by_model";

/** What is said of labels that have the mark, for those who find them in another program. */
const MARK_STATUS = "made by a model, not yet seen by a person";

/** Characters of a text in a mark: it is shown to people. */
const MOST_TEXT = 300;
const NOT_NAMED = "a model that is not named";

/** Whether a file is one that says which label files of YOLO's layout a model made. */
export function isMarkFile(name: string): boolean {
  return /(^|[\\/])made-by-model[^\\/]*\.json$/i.test(name);
}

/** What labels of one call are known by. */
export function modelName({ weights, sha256, date }: ModelLabels): string {
  return `${weights}, sha256 ${sha256.slice(0, 12)}, ${date}`;
}

/** What a file writes about how labels were made; `unknown` where it only names them. */
export function aboutEntry({ model, about }: ModelMark): Record<string, unknown> {
  return { model, ...about, status: MARK_STATUS };
}

/** The marks of samples and of their annotations, each once. */
export function marksOf(samples: readonly Sample[]): ModelMark[] {
  const marks = new Map<string, ModelMark>();
  for (const { byModel, annotations } of samples)
    for (const mark of [byModel, ...annotations.map((one) => one.byModel)])
      if (mark && !marks.get(mark.model)?.about) marks.set(mark.model, mark);
  return [...marks.values()];
}

/**
 * Reads the marks of the file `from`. `list`: what it says about how labels were made, as `aboutEntry` gives it. The same model is
 * one and the same mark. A key that is there and does not name a model is a mark nevertheless.
 */
export function markReader(from: string, list: unknown): (value: unknown) => ModelMark | undefined {
  const about = new Map<string, ModelLabels>();
  for (const entry of Array.isArray(list) ? list.filter(isObject) : []) {
    const known = aboutOf(entry);
    if (known && typeof entry.model === "string") about.set(textOf(entry.model), known);
  }
  const marks = new Map<string, ModelMark>();
  return (value) => {
    if (value === undefined || value === null || value === false || value === "") return undefined;
    const model = typeof value === "string" ? textOf(value) : NOT_NAMED;
    const known = about.get(model);
    const mark = marks.get(model) ?? { model, from, ...(known && { about: known }) };
    marks.set(model, mark);
    return mark;
  };
}

/** A score as a file has it; undefined for anything else. */
export function scoreIn(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value <= 1 ? value : undefined;
}

function aboutOf({ weights, sha256, program, date, threshold }: Record<string, unknown>): ModelLabels | undefined {
  const [w, s, p, d] = [weights, sha256, program, date].map(textOf) as [string, string, string, string];
  return w === "" || s === "" ? undefined : { weights: w, sha256: s, program: p, date: d, threshold: scoreIn(Number(threshold)) ?? 0 }; // biome-ignore format: one line
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, MOST_TEXT) : "";
}
