// The published RF-DETR variants and what makes up an architecture. Source: config.py and models/_defaults.py of rfdetr.

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
};

export type ProjectorScale = "P3" | "P4" | "P5" | "P6";

export type VariantName = "nano" | "small" | "medium" | "large" | "base" | "large-deprecated";

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

/** The architecture of each published variant, with the 90 classes it was published with. */
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
};
