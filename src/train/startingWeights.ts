// The weights that a run starts from: drawn, out of a file, or published ones.

import { existsSync, statSync } from "node:fs";
import { adaptWeights } from "../checkpoint/adapt.ts";
import { referenceKeys } from "../checkpoint/names.ts";
import { type FetchOptions, fetchPublished } from "../checkpoint/published.ts";
import { readWeightsFile } from "../checkpoint/weightsFile.ts";
import { weightsInFolder } from "../checkpoint/weightsFolder.ts";
import { initialise } from "../model/init.ts";
import type { Architecture } from "../model/variants.ts";
import type { StateDict } from "../util/hostTensor.ts";

/**
 * Weights for an architecture (reference names and layout), and a line for people about them. `weights`: `none`, a path
 * (a file, a checkpoint or a run folder), or a published name, which is downloaded to the user's cache.
 */
export async function startingWeights(
  weights: string,
  architecture: Architecture,
  seed: number,
  watch: Pick<FetchOptions, "onProgress" | "onRetry" | "signal"> = {},
): Promise<{ tensors: StateDict; fact: string }> {
  const drawn = () => initialise(referenceKeys(architecture), seed, architecture);
  if (weights === "none") return { tensors: drawn(), fact: "Weights: from scratch" };
  const path = await find(weights, watch);
  const { tensors, metadata } = await readWeightsFile(path);
  const said = { ...metadata.modelConfig, ...metadata.args };
  const number = (value: unknown) => (typeof value === "number" ? value : undefined);
  const { tensors: fitted, report } = adaptWeights(path, tensors, architecture, {
    numQueries: number(said.num_queries),
    groupDetr: number(said.group_detr),
  });
  const complete = new Map([...(report.missing.length > 0 ? drawn() : []), ...fitted]);
  const counts = [
    `${report.loaded} tensors loaded`,
    `${report.reshaped.length} of them reshaped`,
    `${report.missing.length} missing (from scratch)`,
    `${report.unexpected.length} not used`,
  ];
  return { tensors: complete, fact: `Weights: ${path}: ${counts.join(", ")}` };
}

async function find(weights: string, watch: Pick<FetchOptions, "onProgress" | "onRetry" | "signal">): Promise<string> {
  if (!existsSync(weights)) return fetchPublished(weights, watch);
  return statSync(weights).isDirectory() ? weightsInFolder(weights) : weights;
}
