// A model ready to detect, from whatever names its weights: a run, a checkpoint, a file, published weights.

import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import { variantOfShapes, withFields } from "../architecture/fields.ts";
import { type Architecture, VARIANTS, type VariantName } from "../architecture/variants.ts";
import { adaptWeights } from "../checkpoint/adapt.ts";
import { type Leaf, toLeaves } from "../checkpoint/names.ts";
import { fetchPublished, findPublished, publishedWeights } from "../checkpoint/published.ts";
import { readWeightsFile, type WeightsFile, type WeightsMetadata } from "../checkpoint/weightsFile.ts";
import { weightsAt } from "../checkpoint/weightsFolder.ts";
import { classTable } from "../data/dataset/cocoNames.ts";
import type { ClassEntry } from "../data/dataset/sample.ts";
import type { RfdetrWeights } from "../model/rfdetr.ts";
import { uploadWeights } from "../model/weights.ts";
import type { Recipe } from "../recipe/schema.ts";
import { closest } from "../util/closest.ts";
import { UserError } from "../util/errors.ts";
import type { StateDict } from "../util/hostTensor.ts";
import { flatten } from "../util/tree.ts";

export type Model = {
  /** On the device, frozen. */
  weights: RfdetrWeights;
  architecture: Architecture;
  /** The labels that mean something; a detection with any other label is of no class. */
  classes: ClassEntry[];
  /** Where the weights are from, for people. */
  source: string;
  /** Free the weights. */
  dispose: () => void;
};

/** A model in host memory. */
export type HostModel = Pick<Model, "architecture" | "classes" | "source"> & {
  /** The weight tree's leaves by path. */
  leaves: Map<string, Leaf>;
  /** The file that was read, and what it says of itself. */
  path: string;
  metadata: WeightsMetadata;
};

export type LoadModelOptions = {
  /** Says what neither the checkpoint nor the shapes of its weights say, such as a custom model's number of heads. */
  recipe?: Recipe | undefined;
  onDownload?: DownloadWatch | undefined;
};

/** Told while published weights are downloaded. */
export type DownloadWatch = {
  progress(received: number, total: number | undefined): void;
  retry(reason: string): void;
};

/** A weights file on the disk, how people call it, and its variant where that is known. */
type Place = { path: string; source: string; variant?: VariantName };

/**
 * Load a model for detection. `weights`: a run folder (its best checkpoint, or the last where none is best), a checkpoint
 * folder (the averaged weights where it has them), a .safetensors or .pth file, or a published name. The engine must be
 * there. Throws a UserError where there is nothing of the kind, it is damaged, or its architecture cannot be told.
 */
export async function loadModel(weights: string, options: LoadModelOptions = {}): Promise<Model> {
  return placeModel(await readModel(weights, options));
}

/** As `loadModel`, but into host memory: no engine is needed. */
export async function readModel(weights: string, { recipe, onDownload }: LoadModelOptions = {}): Promise<HostModel> {
  const place = await find(weights, onDownload);
  const file = await readWeightsFile(place.path);
  const architecture = architectureOf(place, file, recipe);
  const { tensors, report } = adaptWeights(place.path, file.tensors, architecture);
  if (report.missing.length > 0) {
    const [first, ...rest] = report.missing;
    const others = rest.length > 0 ? ` and ${rest.length} more` : "";
    throw new UserError(`${place.path} is not complete: the model needs ${first}${others}.`, {
      hint: "Training may start from it; to predict or evaluate, all weights must be there.",
    });
  }
  return {
    leaves: toLeaves(tensors, architecture),
    architecture,
    classes: classTable(file.metadata, architecture.numClasses),
    source: place.source,
    path: place.path,
    metadata: file.metadata,
  };
}

/** A model that has been read onto the device. */
export function placeModel({ leaves, architecture, classes, source }: HostModel): Model {
  const tree = uploadWeights(leaves, () => false);
  return {
    weights: tree,
    architecture,
    classes,
    source,
    dispose: () => {
      for (const [, leaf] of flatten<{ dispose(): void }>(tree)) leaf.dispose();
    },
  };
}

async function find(weights: string, watch: DownloadWatch | undefined): Promise<Place> {
  if (existsSync(weights)) {
    const path = await weightsAt(weights);
    if (path === weights) return { path, source: weights };
    const kind = basename(path) === "ema.safetensors" ? "averaged weights" : "weights";
    return { path, source: `${dirname(path)} (${kind})` };
  }
  const published = findPublished(weights);
  if (published) {
    const path = await fetchPublished(weights, watch ? { onProgress: watch.progress, onRetry: watch.retry } : {});
    return { path, source: `${published.name} (published)`, variant: published.variant as VariantName };
  }
  const names = publishedWeights().map(({ name }) => name);
  const meant = closest(weights, names);
  throw new UserError(`There are no weights ${weights}.${meant ? ` Did you mean ${meant}?` : ""}`, {
    hint: `Give a run folder, a checkpoint folder, a .safetensors or .pth file, or one of ${names.join(", ")}.`,
  });
}

/**
 * What the file says of itself, else the variant that its tensors' shapes fit, else the recipe's. Sizes that can be seen
 * in the tensors are taken from there in any case.
 */
function architectureOf({ path, variant }: Place, { tensors, metadata }: WeightsFile, recipe?: Recipe): Architecture {
  const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]));
  const seen = seenSizes(tensors);
  const guess = variant ?? variantOfShapes(shapes);
  const said = [metadata.modelConfig, metadata.args].find((fields) => fields?.hidden_dim != null);
  if (said) return withFields(VARIANTS[guess ?? "nano"], { ...said, ...seen }, path);
  const wanted = recipe?.model.variant;
  const named = wanted === "custom" || wanted === undefined ? undefined : wanted;
  const base = guess ?? named ?? (wanted === "custom" ? "nano" : undefined);
  if (!base) {
    throw new UserError(
      `${path} says nothing of its architecture, and its weights are those of no published variant.`,
      {
        hint: "Give the recipe that it was trained with: --recipe FILE",
      },
    );
  }
  const fits = recipe && (guess === undefined || wanted === guess);
  return withFields(VARIANTS[base], { ...(fits ? recipe.model : {}), ...seen }, path);
}

/** Fields of the reference's ModelConfig that the shapes of the weights tell beyond doubt. */
function seenSizes(tensors: StateDict): Record<string, number> {
  const rows = (name: string, axis = 0) => tensors.get(name)?.shape[axis];
  const groups = [...tensors.keys()].filter((name) => /^transformer\.enc_output\.\d+\.weight$/.test(name)).length;
  const classes = rows("class_embed.bias");
  const queries = rows("query_feat.weight");
  const tokens = rows("backbone.0.encoder.encoder.embeddings.position_embeddings", 1);
  const side = tokens === undefined ? undefined : Math.sqrt(tokens - 1);
  return {
    ...(classes !== undefined && classes > 1 && { num_classes: classes - 1 }),
    ...(groups > 0 && { group_detr: groups }),
    ...(queries !== undefined && groups > 0 && queries % groups === 0 && { num_queries: queries / groups }),
    ...(side !== undefined && Number.isInteger(side) && { positional_encoding_size: side }),
  };
}
