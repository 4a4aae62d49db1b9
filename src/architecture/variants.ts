// The published RF-DETR variants, small ones of our own, and what makes up an architecture. Source: config.py and models/_defaults.py of rfdetr.

/** Everything that decides the shapes of the network. Fields are the reference's ModelConfig, in camel case. */
export type Architecture = {
  encoder: { hiddenSize: number; numAttentionHeads: number; numHiddenLayers: number; mlpRatio: number };
  /** 1-based counts of blocks after which a feature map is taken; also decides which blocks see the whole image. */
  outFeatureIndexes: number[];
  patchSize: number;
  /** Windows a side: attention of most blocks runs inside numWindows x numWindows windows. */
  numWindows: number;
  /** Side of the square table of position embeddings, in patches. */
  positionalEncodingSize: number;
  /** Native side of the square input, in pixels. */
  resolution: number;
  projectorScale: ProjectorScale[];
  hiddenDim: number;
  saNheads: number;
  caNheads: number;
  decNPoints: number;
  decLayers: number;
  dimFeedforward: number;
  numQueries: number;
  numSelect: number;
  groupDetr: number;
  /** Number of classes; the heads have one logit more, as the reference's. */
  numClasses: number;
  /** Whether there is a mask for each box: a segmenter. */
  segmentationHead: boolean;
};

export type ProjectorScale = "P3" | "P4" | "P5" | "P6";

export type VariantName =
  | ("nano" | "small" | "medium" | "large" | "base" | "large-deprecated")
  | ("mini" | "seg-mini")
  | `seg-${"preview" | "nano" | "small" | "medium" | "large" | "xlarge" | "2xlarge"}`;

const small = { hiddenSize: 384, numAttentionHeads: 6, numHiddenLayers: 12, mlpRatio: 4 };
const base = { hiddenSize: 768, numAttentionHeads: 12, numHiddenLayers: 12, mlpRatio: 4 };

const nano: Architecture = {
  encoder: small,
  outFeatureIndexes: [3, 6, 9, 12],
  patchSize: 16,
  numWindows: 2,
  positionalEncodingSize: 24,
  resolution: 384,
  projectorScale: ["P4"],
  hiddenDim: 256,
  saNheads: 8,
  caNheads: 16,
  decNPoints: 2,
  decLayers: 2,
  dimFeedforward: 2048,
  numQueries: 300,
  numSelect: 300,
  groupDetr: 13,
  numClasses: 90,
  segmentationHead: false,
};

const oldBase: Architecture = {
  ...nano,
  outFeatureIndexes: [2, 5, 8, 11],
  patchSize: 14,
  numWindows: 4,
  positionalEncodingSize: 37,
  resolution: 560,
  decLayers: 3,
};

/** Our own: small enough to be trained on two processor cores in minutes. Its published weights know eight shapes. */
const mini: Architecture = {
  ...nano,
  encoder: { hiddenSize: 96, numAttentionHeads: 3, numHiddenLayers: 6, mlpRatio: 4 },
  outFeatureIndexes: [2, 4, 5, 6],
  patchSize: 8,
  numWindows: 1,
  positionalEncodingSize: 16,
  resolution: 128,
  hiddenDim: 64,
  saNheads: 4,
  caNheads: 8,
  dimFeedforward: 512,
  numQueries: 64,
  numSelect: 64,
  groupDetr: 5,
  numClasses: 8,
};

/** A segmenter of this side: its patches are finer, its table of position embeddings follows from the side. */
function segmenter(resolution: number, more: { layers: number; queries: number; windows?: number }): Architecture {
  return {
    ...nano,
    patchSize: 12,
    numWindows: more.windows ?? 2,
    resolution,
    positionalEncodingSize: resolution / 12,
    decLayers: more.layers,
    numQueries: more.queries,
    numSelect: more.queries,
    segmentationHead: true,
  };
}

/** The architecture of each variant, with the classes it was published with: COCO's 90, or eight shapes. */
export const VARIANTS: Record<VariantName, Architecture> = {
  nano,
  small: { ...nano, resolution: 512, positionalEncodingSize: 32, decLayers: 3 },
  medium: { ...nano, resolution: 576, positionalEncodingSize: 36, decLayers: 4 },
  large: { ...nano, resolution: 704, positionalEncodingSize: 44, decLayers: 4 },
  base: oldBase,
  "large-deprecated": {
    ...oldBase,
    encoder: base,
    hiddenDim: 384,
    saNheads: 12,
    caNheads: 24,
    decNPoints: 4,
    projectorScale: ["P3", "P5"],
  },
  mini,
  "seg-mini": { ...mini, segmentationHead: true },
  "seg-preview": segmenter(432, { layers: 4, queries: 200 }),
  "seg-nano": segmenter(312, { layers: 4, queries: 100, windows: 1 }),
  "seg-small": segmenter(384, { layers: 4, queries: 100 }),
  "seg-medium": segmenter(432, { layers: 5, queries: 200 }),
  "seg-large": segmenter(504, { layers: 5, queries: 200 }),
  "seg-xlarge": segmenter(624, { layers: 6, queries: 300 }),
  "seg-2xlarge": segmenter(768, { layers: 6, queries: 300 }),
};
