// Fits loaded weights to an architecture with another number of classes or queries or another table of position
// embeddings, as the reference does on loading (rfdetr/models/weights.py), and says what it did.

import type { Architecture } from "../architecture/variants.ts";
import { isIgnoredName, referenceKeys } from "../architecture/weights/table.ts";
import { resizeSquare } from "../util/arrays/bicubic.ts";
import { UserError } from "../util/errors.ts";
import { allFinite, fromFloat32, type HostTensor, type StateDict, size, toFloat32 } from "../util/hostTensor.ts";
import { growQueries } from "./growQueries.ts";

/** What became of the tensors of a weights file; names are the reference's. */
export type LoadReport = {
  loaded: number;
  reshaped: { name: string; from: number[]; to: number[] }[];
  /** In the architecture, not in the file: they start from scratch. */
  missing: string[];
  /** In the file, not in the architecture: left out. */
  unexpected: string[];
  /** Queries of a group in the file and in the architecture, where the latter are more. */
  grown?: { from: number; to: number };
};

/** What a file says of its queries, and the seed of those that are grown from them where the model has more; without one that is refused. */
type FileQueries = {
  numQueries?: number | undefined;
  groupDetr?: number | undefined;
  growSeed?: number | undefined;
  /** Groups as its other tensors show them. */
  seenGroups?: number;
};

/** The least share of the architecture's tensors that a file must hold. */
const LEAST_SHARE = 0.5;

/**
 * The file's tensors, reshaped to what the architecture needs, and what was done. `source` names the file in errors;
 * `queries`: num_queries and group_detr of the file, where it says so, decide which queries are kept, and grown.
 * Throws a UserError when a tensor cannot be made to fit, too few tensors are the architecture's, or one holds NaN or infinity.
 */
export function adaptWeights(
  source: string,
  tensors: StateDict,
  architecture: Architecture,
  queries: FileQueries = {},
): { tensors: StateDict; report: LoadReport } {
  const keys = referenceKeys(architecture);
  const seenGroups = [...tensors.keys()].filter((name) => /^transformer\.enc_output\.\d+\.weight$/.test(name)).length;
  const report: LoadReport = { loaded: 0, reshaped: [], missing: [], unexpected: [] };
  const adapted: StateDict = new Map();
  const broken: string[] = [];
  for (const [name, shape] of keys) {
    if (isIgnoredName(name)) continue;
    const tensor = tensors.get(name);
    if (!tensor) {
      report.missing.push(name);
      continue;
    }
    if (!allFinite(toFloat32(tensor))) broken.push(name);
    const fitted = fit(source, name, tensor, shape, architecture, { ...queries, seenGroups });
    if (fitted !== tensor) report.reshaped.push({ name, from: tensor.shape, to: shape });
    if (QUERIES.test(name) && fitted !== tensor) {
      const from = groupsOf(tensor, { ...queries, seenGroups }).perGroup ?? architecture.numQueries;
      if (from < architecture.numQueries) report.grown = { from, to: architecture.numQueries };
    }
    report.loaded++;
    adapted.set(name, fitted);
  }
  for (const name of tensors.keys()) if (!keys.has(name) && !isIgnoredName(name)) report.unexpected.push(name);
  const needed = report.loaded + report.missing.length;
  if (report.loaded < LEAST_SHARE * needed)
    throw new UserError(
      `${source} does not fit this model: it holds ${report.loaded} of its ${needed} tensors` +
        `${report.unexpected.length > 0 ? `, and ${report.unexpected.length} others such as ${report.unexpected[0]}` : ""}.`,
      { hint: "Check model.variant; it must be the one that the weights were trained with." },
    );
  if (broken.length > 0) {
    const others = broken.length > 1 ? ` and in ${broken.length - 1} more` : "";
    throw new UserError(`${source} holds values that are not finite numbers, in ${broken[0]}${others}.`, {
      hint: "The training that wrote it has diverged, or the file is damaged. Use an earlier checkpoint.",
    });
  }
  return { tensors: adapted, report };
}

const QUERIES = /^(refpoint_embed|query_feat)\.weight$/;

function fit(
  source: string,
  name: string,
  tensor: HostTensor,
  shape: number[],
  architecture: Architecture,
  queries: FileQueries,
): HostTensor {
  if (tensor.shape.join() === shape.join()) return tensor;
  const rowsOnly = tensor.shape.length === shape.length && tensor.shape.slice(1).join() === shape.slice(1).join();
  if (/(^|\.)(enc_out_)?class_embed\./.test(name) && rowsOnly && tensor.shape[0]! > 0) return repeatRows(tensor, shape);
  if (QUERIES.test(name) && rowsOnly) {
    const kept = keepQueries(tensor, shape, architecture, queries) ?? grow(name, tensor, architecture, queries);
    if (kept) return kept;
    throw new UserError(
      `${source} was trained with fewer queries: ${name} has ${tensor.shape[0]} rows, this model needs ${shape[0]}.`,
      { hint: "Lower model.num_queries or model.group_detr to what the weights hold." },
    );
  }
  if (name.endsWith("position_embeddings") && tensor.shape.length === 3 && tensor.shape[2] === shape[2]) {
    const side = Math.sqrt(tensor.shape[1]! - 1);
    if (Number.isInteger(side) && side > 0) return resizePositions(tensor, shape);
  }
  const patch = name.endsWith("patch_embeddings.projection.weight");
  throw new UserError(
    `${source} does not fit this model: ${name} has the shape [${tensor.shape}], needed is [${shape}].`,
    {
      hint: patch
        ? "The weights were trained with another patch size: check model.variant and model.patch_size. A segmenter can start from a detector of its own patch size: that variant with model.segmentation_head: true."
        : "Check model.variant; it must be the one that the weights were trained with.",
    },
  );
}

/** The first rows; where there are too few, all of them again and again. */
function repeatRows(tensor: HostTensor, shape: number[]): HostTensor {
  const bytes = new Uint8Array((tensor.bytes.length / tensor.shape[0]!) * shape[0]!);
  for (let at = 0; at < bytes.length; at += tensor.bytes.length)
    bytes.set(tensor.bytes.subarray(0, Math.min(tensor.bytes.length, bytes.length - at)), at);
  return { ...tensor, shape, bytes };
}

/** How the rows of a tensor of queries are grouped: as the file says, else as its other tensors show. */
function groupsOf(
  { shape }: HostTensor,
  { numQueries, groupDetr, seenGroups }: FileQueries,
): { groups: number; perGroup: number | undefined } {
  const rows = shape[0]!;
  const groups = groupDetr ?? (numQueries ? rows / numQueries : (seenGroups ?? 0));
  const perGroup = rows / groups;
  const whole = Number.isInteger(groups) && Number.isInteger(perGroup) && perGroup > 0;
  return { groups, perGroup: whole ? perGroup : undefined };
}

/** More queries of each group than the file has; undefined where it has fewer groups, or that is not asked for. */
function grow(name: string, tensor: HostTensor, architecture: Architecture, file: FileQueries): HostTensor | undefined {
  const { numQueries: queries, groupDetr } = architecture;
  const { groups, perGroup } = groupsOf(tensor, file);
  if (file.growSeed === undefined || perGroup === undefined || groups < groupDetr || perGroup >= queries)
    return undefined;
  const words = [name.startsWith("refpoint") ? 0 : 1];
  return growQueries(tensor, {
    ...{ from: { groups, queries: perGroup }, to: { groups: groupDetr, queries } },
    ...{ seed: file.growSeed, words },
  });
}

/** The first queries of the first groups, where the file says how its rows are grouped; otherwise the first rows. */
function keepQueries(
  tensor: HostTensor,
  shape: number[],
  { numQueries, groupDetr }: Architecture,
  file: FileQueries,
): HostTensor | undefined {
  const rows = tensor.shape[0]!;
  if (rows < shape[0]!) return undefined;
  const width = tensor.bytes.length / rows;
  const groups = file.groupDetr ?? (file.numQueries ? rows / file.numQueries : undefined);
  const perGroup = file.numQueries ?? (groups ? rows / groups : undefined);
  if (!groups || !perGroup || groups * perGroup !== rows)
    return { ...tensor, shape, bytes: tensor.bytes.slice(0, width * shape[0]!) };
  if (groups < groupDetr || perGroup < numQueries) return undefined;
  const bytes = new Uint8Array(width * shape[0]!);
  for (let group = 0; group < groupDetr; group++) {
    const start = group * perGroup * width;
    bytes.set(tensor.bytes.subarray(start, start + numQueries * width), group * numQueries * width);
  }
  return { ...tensor, shape, bytes };
}

/** Bicubic resize of the patches' embeddings; the class token's stays. */
function resizePositions(tensor: HostTensor, shape: number[]): HostTensor {
  const [, rows, width] = shape as [number, number, number];
  const source = toFloat32(tensor);
  const out = new Float32Array(size(shape));
  out.set(source.subarray(0, width));
  out.set(resizeSquare(source.subarray(width), width, { to: Math.sqrt(rows - 1) }), width);
  return fromFloat32(out, shape);
}
