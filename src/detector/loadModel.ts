// A model ready to detect, from whatever names its weights: a run, a checkpoint, a file, published weights.

import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { Architecture, VariantName } from "../architecture/variants.ts";
import { adaptWeights } from "../checkpoint/adapt.ts";
import { toLeaves } from "../checkpoint/names.ts";
import { fetchPublished, findPublished, publishedWeights } from "../checkpoint/published/published.ts";
import { readWeightsFile, type WeightsMetadata } from "../checkpoint/weightsFile.ts";
import { weightsAt } from "../checkpoint/weightsFolder.ts";
import { classTable } from "../data/dataset/cocoNames.ts";
import type { ClassEntry } from "../data/dataset/sample.ts";
import { type OperatingPoint, operatingPointFrom } from "../instance/operating/point.ts";
import { type Slices, slicesFrom } from "../instance/slices/layout.ts";
import type { RfdetrWeights } from "../model/rfdetr.ts";
import { uploadWeights } from "../model/weights.ts";
import type { Recipe } from "../recipe/schema.ts";
import { closest } from "../util/closest.ts";
import { UserError } from "../util/errors.ts";
import type { Leaf } from "../util/hostTensor.ts";
import { flatten } from "../util/tree.ts";
import { architectureIn } from "./fileArchitecture.ts";

export type Model = {
  /** On the device, frozen. */
  weights: RfdetrWeights;
  architecture: Architecture;
  /** The labels that mean something; a detection with any other label is of no class. */
  classes: ClassEntry[];
  /** Where the weights are from, for people. */
  source: string;
  /** The file that was read. */
  path: string;
  /** The parts of pictures that it was trained on, where it was. */
  slices?: Slices | undefined;
  /** From which scores its detections count, where the file says it. */
  operatingPoint?: OperatingPoint | undefined;
  /** Free the weights. */
  dispose: () => void;
};

/** A model in host memory. */
export type HostModel = Pick<Model, "architecture" | "classes" | "source" | "path" | "slices" | "operatingPoint"> & {
  /** The weight tree's leaves by path. */
  leaves: Map<string, Leaf>;
  /** What the file says of itself. */
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
 * there. Throws a UserError where there is nothing of the kind, it is damaged, or its architecture is not known.
 */
export async function loadModel(weights: string, options: LoadModelOptions = {}): Promise<Model> {
  return placeModel(await readModel(weights, options));
}

/** As `loadModel`, but into host memory: no engine is needed. */
export async function readModel(weights: string, { recipe, onDownload }: LoadModelOptions = {}): Promise<HostModel> {
  const place = await find(weights, onDownload);
  const file = await readWeightsFile(place.path);
  const architecture = architectureIn(file, { ...place, recipe });
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
    slices: slicesFrom(file.metadata.extra?.slices),
    operatingPoint: operatingPointFrom(file.metadata.extra?.operating_point),
    metadata: file.metadata,
  };
}

/** A model that has been read onto the device. */
export function placeModel({ leaves, architecture, classes, source, path, slices, operatingPoint }: HostModel): Model {
  const tree = uploadWeights(leaves, () => false);
  return {
    weights: tree,
    architecture,
    classes,
    source,
    path,
    slices,
    operatingPoint,
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
