// Readers of tests/fixtures/parity, which scripts/fixtures/make-parity-fixtures.py makes by running the reference.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { type Architecture, VARIANTS, type VariantName } from "../../src/architecture/variants.ts";
import { referenceKeys } from "../../src/architecture/weights/table.ts";
import { readSafetensors } from "../../src/checkpoint/safetensors.ts";
import { uploadPadding } from "../../src/model/padding.ts";
import { levelSizes } from "../../src/model/projector.ts";
import { type HostTensor, type StateDict, toFloat32 } from "../../src/util/hostTensor.ts";
import { generatedWeights, type ImageSpec } from "./generatedWeights.ts";

const FOLDER = fileURLToPath(new URL("../fixtures/parity/", import.meta.url));

/** The small architecture of the fixtures: every part of the real ones, at a fiftieth of their size. */
export const TINY: Architecture = {
  encoder: { hiddenSize: 96, numAttentionHeads: 3, numHiddenLayers: 6, mlpRatio: 4 },
  outFeatureIndexes: [1, 3, 5, 6],
  patchSize: 16,
  numWindows: 2,
  positionalEncodingSize: 8,
  resolution: 128,
  projectorScale: ["P4"],
  hiddenDim: 64,
  saNheads: 4,
  caNheads: 8,
  decNPoints: 2,
  decLayers: 2,
  dimFeedforward: 2048,
  numQueries: 20,
  numSelect: 20,
  groupDetr: 3,
  numClasses: 4,
  segmentationHead: false,
};

/** The same as segmenters, with windows and without, as the smallest one is. */
export const SEG_TINY: Architecture = { ...TINY, patchSize: 12, resolution: 96, decLayers: 3, segmentationHead: true };
const SMALL = { tiny: TINY, "seg-tiny": SEG_TINY, "seg-tiny-whole": { ...SEG_TINY, numWindows: 1, decLayers: 2 } };

export type ArchitectureName = VariantName | keyof typeof SMALL;

/** Fields that a fixture changes, in the reference's spelling. */
export type Changed = { num_classes?: number; num_queries?: number; num_select?: number; freeze_encoder?: boolean };

export function architectureOf(name: ArchitectureName, changed: Changed = {}): Architecture {
  const architecture = { ...VARIANTS, ...SMALL }[name];
  return {
    ...architecture,
    numClasses: changed.num_classes ?? architecture.numClasses,
    numQueries: changed.num_queries ?? architecture.numQueries,
    numSelect: changed.num_select ?? architecture.numSelect,
  };
}

type KeyList = { parameters: number; weights: Record<string, number[]>; checksums: Record<string, number> };
type Group = { lr: number; weightDecay: number; names: string[] };

/** Weight names with shapes in the reference's order, and parameter counts. */
export const readKeys = () => readGzip<Record<ArchitectureName, KeyList>>("keys.json.gz");
/** The optimizer's groups with the reference's default settings. */
export const readGroups = () => readGzip<Record<ArchitectureName, Group[]>>("groups.json.gz");

function readGzip<T>(file: string): T {
  return JSON.parse(gunzipSync(readFileSync(FOLDER + file)).toString()) as T;
}

export type Fixture<About> = { about: About; tensor(name: string): HostTensor; names: string[] };

export async function readFixture<About>(file: string): Promise<Fixture<About>> {
  const { tensors, metadata } = await readSafetensors(`${FOLDER}${file}.safetensors`);
  const tensor = (name: string) => {
    const found = tensors.get(name);
    if (!found) throw new Error(`${file} has no ${name}`);
    return found;
  };
  return { about: JSON.parse(metadata.about ?? "{}") as About, tensor, names: [...tensors.keys()] };
}

export function values(tensor: HostTensor): Float32Array {
  return toFloat32(tensor);
}

/** Weights of an architecture under the reference's names, as the script that made the fixtures drew them. */
export function weightsOf(architecture: Architecture, seed: number): StateDict {
  const keys = [...referenceKeys(architecture)].map(([name, shape]) => ({ name, shape }));
  return generatedWeights(keys, seed);
}

/** [batch, 3, height, width] -> [batch, height, width, 3]. */
export function channelsLast(x: Float32Array, [batch, height, width]: [number, number, number]): Float32Array {
  const out = new Float32Array(x.length);
  const area = height * width;
  for (let b = 0; b < batch; b++)
    for (let c = 0; c < 3; c++) for (let i = 0; i < area; i++) out[(b * area + i) * 3 + c] = x[(b * 3 + c) * area + i]!;
  return out;
}

/** Largest absolute difference of two arrays of one length; infinite where either is not a number. */
export function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const gap = Math.abs(a[i]! - b[i]!);
    if (!(gap <= most)) most = Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap;
  }
  return most;
}

/** The padding of the images, on the device; none where no image is padded. */
export function paddingOf({ batch, size: [height, width], sizes }: ImageSpec, architecture: Architecture) {
  if (!sizes) return undefined;
  const mask = new Uint8Array(batch * height * width);
  for (const [image, [h, w]] of sizes.entries())
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) if (y >= h || x >= w) mask[(image * height + y) * width + x] = 1;
  return uploadPadding({ mask, shape: [batch, height, width] }, levelSizes(architecture, [height, width]));
}
