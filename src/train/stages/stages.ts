// Staged unfreezing: which weights train in which epoch, by patterns over the paths of the weight tree. No tensors.

import type { Recipe } from "../../recipe/schema.ts";
import { closest } from "../../util/closest.ts";
import { UserError } from "../../util/errors.ts";
import { size } from "../../util/hostTensor.ts";
import type { Fact } from "../../util/text/fact.ts";
import type { Meter } from "./meter.ts";

type StageRecipe = NonNullable<Recipe["train"]["stages"]>[number];

/** What a pattern matched: leaves of the tree, and the numbers in them. */
type Match = { pattern: string; leaves: number; parameters: number };

export type Stage = {
  /** From 0. */
  index: number;
  fromEpoch: number;
  /** Multiplies every learning rate. */
  lrFactor: number;
  matches: Match[];
  /** Paths of the leaves that train. */
  paths: ReadonlySet<string>;
  /** Numbers that train, and that do not. */
  trainable: number;
  frozen: number;
};

export type StageOptions = {
  /** No weight of the encoder trains in any stage. */
  freezeEncoder: boolean;
};

/**
 * The stages of a run over the leaves of an architecture (`leafShapes`); without any in the recipe, one that trains all.
 * Throws a UserError where a pattern matches nothing or a stage trains nothing.
 */
export function stagePlan(
  stages: StageRecipe[] | null,
  shapes: ReadonlyMap<string, number[]>,
  { freezeEncoder }: StageOptions,
): Stage[] {
  const paths = [...shapes.keys()];
  const count = (some: Iterable<string>) => [...some].reduce((sum, path) => sum + size(shapes.get(path)!), 0);
  const all = count(paths);
  return (stages ?? [{ from_epoch: 0, train: ["all"], lr_factor: 1 }]).map((stage, index) => {
    const trains = new Set<string>();
    const matches = stage.train.map((pattern) => {
      const matched = paths.filter(matcher(pattern));
      if (matched.length === 0) throw unmatched(pattern, `train.stages[${index}].train`, paths);
      for (const path of matched) trains.add(path);
      return { pattern, leaves: matched.length, parameters: count(matched) };
    });
    if (freezeEncoder) for (const path of trains) if (path.startsWith("backbone.")) trains.delete(path);
    if (trains.size === 0) {
      throw new UserError(`train.stages[${index}] trains nothing: model.freeze_encoder keeps the backbone as it is.`, {
        hint: "Name other weights in this stage, or set model.freeze_encoder to false.",
      });
    }
    const trainable = count(trains);
    const { from_epoch: fromEpoch, lr_factor: lrFactor } = stage;
    return { index, fromEpoch, lrFactor, matches, paths: trains, trainable, frozen: all - trainable };
  });
}

/** The stage that an epoch (from 0) belongs to. */
export function stageAt(plan: readonly Stage[], epoch: number): Stage {
  return plan.findLast(({ fromEpoch }) => fromEpoch <= epoch)!;
}

/**
 * Whether a path lies at or under what a pattern names. In a segment * stands for any characters, ? for one, and 8-11
 * for the numbers from 8 to 11; the segment ** stands for any number of segments. "all" is everything.
 */
export function matcher(pattern: string): (path: string) => boolean {
  if (pattern === "all") return () => true;
  const wanted = pattern.split(".").map((segment) => (segment === "**" ? segment : segmentMatcher(segment)));
  const matches = (parts: string[], at: number): boolean => {
    const next = wanted[at];
    if (next === undefined) return true; // what is under a match matches
    if (next === "**") return parts.some((_, i) => matches(parts.slice(i), at + 1));
    return parts.length > 0 && next(parts[0]!) && matches(parts.slice(1), at + 1);
  };
  return (path) => matches(path.split("."), 0);
}

function segmentMatcher(segment: string): (part: string) => boolean {
  const range = /^(\d+)-(\d+)$/.exec(segment);
  if (range)
    return (part) => /^\d+$/.test(part) && Number(part) >= Number(range[1]) && Number(part) <= Number(range[2]);
  const source = segment
    .replaceAll(/[\\^$.|+()[\]{}]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const regex = new RegExp(`^${source}$`);
  return (part) => regex.test(part);
}

/** The error for a pattern that matches nothing: what was probably meant, or what there is. */
function unmatched(pattern: string, key: string, paths: string[]): UserError {
  const meant = suggestion(pattern, paths);
  const known = lastKnown(pattern, paths);
  const there = `${known.path === "" ? "The tree" : known.path} has ${listed(known.children)}.`;
  return new UserError(`${key}: "${pattern}" matches no weights. ${meant ? `Did you mean ${meant}?` : there}`, {
    hint: "Patterns are all, backbone, projector, decoder, heads, or paths such as backbone.blocks.8-11 or decoder.layers.*.norm1.",
  });
}

/** The pattern with its first wrong segment replaced by the closest one there is, or with what it lacks in front. */
function suggestion(pattern: string, paths: string[]): string | undefined {
  const works = (one: string) => paths.some(matcher(one));
  const { path, children } = lastKnown(pattern, paths);
  const done = path === "" ? [] : path.split(".");
  const [wrong, ...rest] = pattern.split(".").slice(done.length);
  const numbers = /^(\d+)-(\d+)$/.exec(wrong ?? "");
  const replacement = numbers
    ? `${numbers[2]}-${numbers[1]}`
    : wrong === "encoder" && done.length === 0
      ? "backbone" // not the decoder, which differs by two letters
      : closestName(wrong ?? "", children);
  if (replacement !== undefined) {
    const whole = [...done, replacement, ...rest].join(".");
    if (works(whole)) return whole;
    if (works([...done, replacement].join("."))) return [...done, replacement].join(".");
  }
  const prefixes = new Set(
    paths.flatMap((one) => one.split(".").map((_, i, parts) => parts.slice(0, i + 1).join("."))),
  );
  return [...prefixes].map((prefix) => `${prefix}.${pattern}`).find(works);
}

function closestName(word: string, names: string[]): string | undefined {
  return closest(
    word,
    names.filter((name) => !/^\d+$/.test(name)),
  );
}

/** The longest beginning of a pattern that matches something, and what lies directly under it. */
function lastKnown(pattern: string, paths: string[]): { path: string; children: string[] } {
  const segments = pattern.split(".");
  for (let length = segments.length - 1; length > 0; length--) {
    const path = segments.slice(0, length).join(".");
    const under = paths.filter(matcher(path));
    if (under.length > 0) return { path, children: [...new Set(under.map((one) => one.split(".")[length] ?? ""))] };
  }
  return { path: "", children: [...new Set(paths.map((one) => one.split(".")[0]!)), "all"] };
}

function listed(names: string[]): string {
  const numeric = names.every((name) => /^\d+$/.test(name));
  return numeric && names.length > 1
    ? `${names[0]} to ${names.at(-1)}`
    : names.filter(Boolean).join(", ") || "no parts";
}

/** A stage, for people: "Stage 2 of 4 (from_epoch 2): heads, projector; 3.10 M parameters train, 27.40 M are frozen". */
export function describeStage(stage: Stage, plan: readonly Stage[]): Fact {
  const patterns = stage.matches.map(({ pattern, leaves, parameters }) => {
    return `${pattern} (${leaves} tensor${leaves === 1 ? "" : "s"}, ${millions(parameters)})`;
  });
  const rate = stage.lrFactor === 1 ? "" : `; learning rates x ${stage.lrFactor}`;
  const counts = `${millions(stage.trainable)} parameters train, ${millions(stage.frozen)} are frozen`;
  const name = `Stage ${stage.index + 1} of ${plan.length} (from_epoch ${stage.fromEpoch})`;
  return { name, value: `${patterns.join(", ")}; ${counts}${rate}` };
}

export function millions(count: number): string {
  return `${(count / 1e6).toFixed(2)} M`;
}

/** The stages of a run and where it is in them. `entered`: it has been said that `current` has begun. */
export type Staging = { plan: Stage[]; current: Stage; entered: boolean; meter: Meter };
