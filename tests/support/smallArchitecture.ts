// An architecture whose weights are few, for tests of weights that run no network.

import { type Architecture, VARIANTS } from "../../src/architecture/variants.ts";

export const SMALL: Architecture = {
  ...VARIANTS.nano,
  encoder: { hiddenSize: 8, numAttentionHeads: 2, numHiddenLayers: 2, mlpRatio: 2 },
  outFeatureIndexes: [1, 2],
  positionalEncodingSize: 4,
  hiddenDim: 8,
  saNheads: 2,
  caNheads: 2,
  dimFeedforward: 8,
  numQueries: 5,
  groupDetr: 3,
  numClasses: 6,
};
