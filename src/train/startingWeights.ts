// The weights that a run starts from: drawn, out of a file, or published ones.

import { existsSync } from "node:fs";
import type { Architecture } from "../architecture/variants.ts";
import { referenceKeys } from "../architecture/weights/table.ts";
import { adaptWeights, type LoadReport } from "../checkpoint/adapt.ts";
import { type FetchOptions, fetchPublished, findPublished } from "../checkpoint/published/published.ts";
import { type Transplant, transplantHeads } from "../checkpoint/transplant.ts";
import { readWeightsFile } from "../checkpoint/weightsFile.ts";
import { weightsAt } from "../checkpoint/weightsFolder.ts";
import { classTable } from "../data/dataset/cocoNames.ts";
import { initialise } from "../model/init.ts";
import { UserError } from "../util/errors.ts";
import type { StateDict } from "../util/hostTensor.ts";
import type { Fact } from "../util/text/fact.ts";
import { maybeMoved } from "../util/text/moved.ts";

type Watch = Pick<FetchOptions, "onProgress" | "onRetry" | "signal">;

export type FitOptions = {
  seed: number;
  /** How the class heads are fitted. */
  heads: "keep-first" | "transplant";
  /** The classes that the model shall have, by label. */
  classNames: readonly string[];
};

/**
 * Weights for an architecture (reference names and layout), and facts for people about them. `weights`: `none`, a path
 * (a file, a checkpoint or a run folder), or a published name, which is downloaded to the user's cache.
 */
export async function startingWeights(
  weights: string,
  architecture: Architecture,
  options: FitOptions,
  watch: Watch = {},
): Promise<{ tensors: StateDict; facts: Fact[] }> {
  const drawn = () => initialise(referenceKeys(architecture), options.seed, architecture);
  if (weights === "none") return { tensors: drawn(), facts: [{ name: "Weights", value: "from scratch" }] };
  const path = await find(weights, watch);
  const { tensors: fitted, report, transplant } = await fitWeights(path, architecture, options);
  const complete = new Map([...(report.missing.length > 0 ? drawn() : []), ...fitted]);
  const counts = [
    `${report.loaded} tensors loaded`,
    `${report.reshaped.length} of them reshaped`,
    `${report.missing.length} missing (from scratch)`,
    `${report.unexpected.length} not used`,
  ];
  return {
    tensors: complete,
    facts: [
      { name: "Weights", value: `${path}: ${counts.join(", ")}` },
      ...(transplant ? [describeTransplant(transplant)] : []),
      ...describeGrown(report),
      ...describeMasks(report),
    ],
  };
}

/** The tensors of a file, fitted to an architecture, and what was done. Throws a UserError where they cannot be. */
export async function fitWeights(
  path: string,
  architecture: Architecture,
  { seed, heads, classNames }: FitOptions,
): Promise<{ tensors: StateDict; report: LoadReport; transplant?: Transplant }> {
  const { tensors, metadata } = await readWeightsFile(path);
  const said = { ...metadata.modelConfig, ...metadata.args };
  const number = (value: unknown) => (typeof value === "number" ? value : undefined);
  const queries = { numQueries: number(said.num_queries), groupDetr: number(said.group_detr), growSeed: seed };
  if (heads === "keep-first") return adaptWeights(path, tensors, architecture, queries);

  const numClasses = (tensors.get("class_embed.bias")?.shape[0] ?? 1) - 1;
  if (!metadata.classNames && numClasses !== 90)
    throw new UserError(`heads is transplant, but ${path} does not say the names of its classes.`, {
      hint: "Set heads to keep-first, or leave it out.",
    });
  const from: (string | undefined)[] = [];
  for (const { label, name } of classTable(metadata, numClasses)) from[label] = name;
  const classKeys = new Map([...referenceKeys(architecture)].filter(([name]) => name.includes("class_embed")));
  const drawn = initialise(classKeys, seed, architecture);
  const { kept, fresh, ...transplanted } = transplantHeads(tensors, from, classNames, drawn);
  return { ...adaptWeights(path, transplanted.tensors, architecture, queries), transplant: { kept, fresh } };
}

/** Where the model has more queries than the file. */
function describeGrown({ grown }: LoadReport): Fact[] {
  if (!grown) return [];
  const { from, to } = grown;
  const value = `${from} -> ${to}: in each group the first ${from} as they were, the others copies of them with a little noise`;
  return [{ name: "Queries", value }];
}

/** What became of the mask head, where only one of the file and the model has it. */
function describeMasks({ missing, unexpected }: LoadReport): Fact[] {
  const isOfMasks = (name: string) => name.startsWith("segmentation_head.");
  if (missing.some(isOfMasks))
    return [{ name: "Mask head", value: "from scratch: the weights are those of a detector" }];
  if (unexpected.some(isOfMasks)) return [{ name: "Mask head", value: "left out: the model is a detector" }];
  return [];
}

function describeTransplant({ kept, fresh }: Transplant): Fact {
  const value = `kept those of ${kept.join(", ") || "no class"}; from scratch: ${fresh.join(", ") || "none"}`;
  return { name: "Class heads", value };
}

async function find(weights: string, watch: Watch): Promise<string> {
  if (existsSync(weights)) return weightsAt(weights);
  if (/[/\\]|\.(safetensors|pth?|ckpt)$/.test(weights) && !findPublished(weights))
    throw new UserError(`weights: there is nothing at ${weights}.`, { hint: maybeMoved("weights") });
  return fetchPublished(weights, watch);
}
