// Learning rate and weight decay of every weight, by its name in the reference.
// Source: training/param_groups.py and models/backbone/backbone.py of rfdetr.

import type { NameEntry } from "../../architecture/weights/entry.ts";

export type ParamGroupSettings = {
  lr: number;
  lrEncoder: number;
  lrVitLayerDecay: number;
  lrComponentDecay: number;
  weightDecay: number;
  /** 1-based block counts of the feature maps; the last one decides the depth that layer decay counts from. */
  outFeatureIndexes: readonly number[];
};

/** Weights that share a learning rate and a weight decay. */
export type ParamGroup = { lr: number; weightDecay: number; paths: string[]; references: string[] };

/** What decides on a weight's group. */
type Named = Pick<NameEntry, "path" | "reference" | "decays">;

const ENCODER = "backbone.0.encoder";
const DECODER = "transformer.decoder";

/**
 * Parameter groups in the reference's order: everything else, encoder, decoder; equal settings share a group. A leaf of
 * ours that holds several reference tensors appears once, a reference tensor that several leaves hold appears once, too.
 */
export function paramGroups(weights: readonly Named[], settings: ParamGroupSettings): ParamGroup[] {
  const encoder = weights.filter(({ reference }) => reference.startsWith(ENCODER));
  const decoder = weights.filter(({ reference }) => reference.includes(DECODER));
  const other = weights.filter((weight) => !encoder.includes(weight) && !decoder.includes(weight));
  const groups = new Map<string, { lr: number; weightDecay: number; paths: Set<string>; references: Set<string> }>();
  for (const entry of [...other, ...encoder, ...decoder]) {
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
  { reference, decays }: Pick<Named, "reference" | "decays">,
  settings: ParamGroupSettings,
): { lr: number; weightDecay: number } {
  const { lr, lrEncoder, lrVitLayerDecay, lrComponentDecay } = settings;
  const weightDecay = decays ? settings.weightDecay : 0;
  if (reference.startsWith(ENCODER)) {
    const layers = settings.outFeatureIndexes.at(-1)! + 1;
    const depth = layers + 1 - layerOf(reference, layers);
    return { lr: lrEncoder * lrVitLayerDecay ** depth * lrComponentDecay ** 2, weightDecay };
  }
  return { lr: reference.includes(DECODER) ? lr * lrComponentDecay : lr, weightDecay };
}

/** 0 for the embeddings, 1 for the first block, ...; what comes after the blocks counts as the last layer. */
function layerOf(reference: string, layers: number): number {
  if (reference.includes("embeddings")) return 0;
  const block = /\.layer\.(\d+)\./.exec(reference);
  return block ? Number(block[1]) + 1 : layers + 1;
}
