// Numbers of the network that are no choice of an architecture: what the model and its ONNX graph have in common.

/** Added to the variance in layer norms: of encoder, projector, decoder with its proposals, and of the mask head's map and queries. */
export const EPSILON = { encoder: 1e-6, projector: 1e-6, decoder: 1e-5, maskMap: 1e-6, maskQuery: 1e-5 } as const;

/** Bottlenecks of each level of the projector, and layers of a box head. */
export const BOTTLENECKS = 3;
export const BOX_HEAD_LAYERS = 3;

/** Side of a proposal on the finest level, doubled from level to level; it has to lie within these limits. */
export const PROPOSAL = { side: 0.05, low: Math.fround(0.01), high: Math.fround(0.99) } as const;

/** One unit of a sampling offset of deformable attention, in sides of the reference box. */
export function offsetUnit(points: number): number {
  return 0.5 / points;
}

/** Coordinates of a cxcywh box in the order in which the sine embedding has them: y, x, width, height. */
export const SINE_ORDER = [1, 0, 2, 3] as const;

/** Frequency of the i-th pair of a sine and a cosine, of `dim / 2` for each coordinate. */
export function sineFrequency(pair: number, dim: number): number {
  return (2 * Math.PI) / 10000 ** ((2 * pair) / dim);
}

/** Pixels a side of a cell of the masks, and numbers of the hidden layer of what makes a query a mask, over its width. */
export const MASK_STRIDE = 4;
export const MASK_HIDDEN = 4;
