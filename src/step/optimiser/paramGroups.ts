// Learning rate and weight decay of every weight, by the part of the network that the weight table says it is in.
// Source: training/param_groups.py and models/backbone/backbone.py of rfdetr.

import type { NameEntry } from "../../architecture/weights/entry.ts";

export type ParamGroupSettings = {
  lr: number;
  lrEncoder: number;
  lrVitLayerDecay: number;
  lrComponentDecay: number;
  weightDecay: number;
};

/** Weights that share a learning rate and a weight decay. */
export type ParamGroup = { lr: number; weightDecay: number; paths: string[]; references: string[] };

/** What decides on a weight's group. */
type Named = Pick<NameEntry, "path" | "reference" | "part" | "decays">;

const ORDER = ["rest", "encoder", "decoder"] as const;

/**
 * Parameter groups in the reference's order: everything else, encoder, decoder; equal settings share a group. A leaf of
 * ours that holds several reference tensors appears once, a reference tensor that several leaves hold appears once, too.
 */
export function paramGroups(weights: readonly Named[], settings: ParamGroupSettings): ParamGroup[] {
  const ordered = ORDER.flatMap((name) => weights.filter(({ part }) => part.name === name));
  const groups = new Map<string, { lr: number; weightDecay: number; paths: Set<string>; references: Set<string> }>();
  for (const entry of ordered) {
    const { path, reference } = entry;
    const { lr, weightDecay } = hyperparameters(entry, settings);
    const key = `${lr} ${weightDecay}`;
    const group = groups.get(key) ?? { lr, weightDecay, paths: new Set(), references: new Set() };
    groups.set(key, group);
    group.paths.add(path);
    group.references.add(reference);
  }
  return [...groups.values()].map((group) => ({
    ...group,
    paths: [...group.paths],
    references: [...group.references],
  }));
}

/** A group as the log shows it: the part of the tree that its leaves have in common, and how many of them train. */
export type GroupRate = { group: string; lr: number; weightDecay: number; leaves: number };

/** The groups of which a leaf trains, with their learning rates before the schedule. */
export function groupRates(groups: readonly ParamGroup[], trains: ReadonlySet<string>): GroupRate[] {
  return groups.flatMap(({ lr, weightDecay, paths }) => {
    const leaves = paths.filter((path) => trains.has(path));
    return leaves.length > 0 ? [{ group: commonPart(leaves), lr, weightDecay, leaves: leaves.length }] : [];
  });
}

/** "backbone.blocks.3", or the top names where the paths have nothing in common: "decoder, heads". */
function commonPart(paths: string[]): string {
  const common = paths
    .map((path) => path.split("."))
    .reduce((a, b) => {
      const end = a.findIndex((part, i) => part !== b[i]);
      return end < 0 ? a : a.slice(0, end);
    });
  return common.length > 0 ? common.join(".") : [...new Set(paths.map((path) => path.split(".")[0]!))].join(", ");
}

/** Learning rate (before the schedule) and weight decay of one of the reference's tensors. */
export function hyperparameters(
  { part, decays }: Pick<Named, "part" | "decays">,
  settings: ParamGroupSettings,
): { lr: number; weightDecay: number } {
  return { lr: rateOf(part, settings), weightDecay: decays ? settings.weightDecay : 0 };
}

function rateOf(
  part: Named["part"],
  { lr, lrEncoder, lrVitLayerDecay, lrComponentDecay }: Omit<ParamGroupSettings, "weightDecay">,
): number {
  switch (part.name) {
    case "encoder":
      return lrEncoder * lrVitLayerDecay ** part.layersAbove * lrComponentDecay ** 2;
    case "decoder":
      return lr * lrComponentDecay;
    case "rest":
      return lr;
  }
}
