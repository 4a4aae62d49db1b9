// A line of the weight table, and the layers whose lines are alike.

/** How a tensor lies on disk: as ours, or `[out, in]`, `[out, in, height, width]`, `[in, out, height, width]`, `[channels, 1, height, width]`. */
type Layout = "same" | "linear" | "conv" | "convTranspose" | "depthwise";

/** Which axis on disk each axis of ours is; ours are `[in, out]`, `[height, width, in, out]`, `[in, height, width, out]`, `[height, width, channels, 1]`. */
export const OUR_AXES: Record<Exclude<Layout, "same">, readonly number[]> = {
  linear: [1, 0],
  conv: [2, 3, 1, 0],
  convTranspose: [0, 2, 3, 1],
  depthwise: [2, 3, 0, 1],
};

/**
 * How a tensor is drawn from scratch: a constant, normal, normal of deviation 0.02 cut at 2, uniform as Xavier and as torch's
 * linear layers and convolutions by default (of this fan-in), or the decoder's grid of sampling offsets.
 */
export type Init =
  | { kind: "constant"; value: number }
  | { kind: "normal" }
  | { kind: "truncatedNormal" }
  | { kind: "xavier" }
  | { kind: "uniform"; fanIn: number }
  | { kind: "offsetGrid" };

/** What a weight's learning rate is taken from; of the encoder with the number of layers above it, which layer decay counts. */
type Part = { name: "encoder"; layersAbove: number } | { name: "decoder" } | { name: "rest" };

/** One reference tensor (or some rows of it) and the leaf of our tree (or the slice of it) that holds the same numbers. */
export type NameEntry = {
  /** Path in our weight tree, e.g. `decoder.layers.0.selfAttention.query.weight`. */
  path: string;
  /** Name in the reference's state dict. */
  reference: string;
  /** The complete shape of the reference's tensor. */
  shape: number[];
  layout: Layout;
  init: Init;
  /** The reference's tensor that this one is a deep copy of when it is drawn; itself where it is left out. */
  copyOf?: string;
  part: Part;
  /** Whether weight decay applies. */
  decays: boolean;
  /** Our leaf stacks `of` reference tensors on a leading axis; this one is at `index`. */
  stack?: { index: number; of: number };
  /** Our leaf holds only the rows from `start` of the reference's tensor, `count` of them. */
  rows?: { start: number; count: number };
};

/** A line as its layer writes it, before the part of the network that it stands in is known. */
export type Line = Omit<NameEntry, "part">;

type Rest = Partial<Pick<NameEntry, "stack" | "rows" | "copyOf" | "layout">>;

export const ZEROS: Init = { kind: "constant", value: 0 };
export const ONES: Init = { kind: "constant", value: 1 };
export const XAVIER: Init = { kind: "xavier" };

/** Any tensor that weight decay applies to. */
export function tensorEntry(path: string, reference: string, shape: number[], init: Init, rest: Rest = {}): Line {
  return { path, reference, shape, layout: "same", init, decays: true, ...rest };
}

/** What a layer's tensors are drawn from; torch's default where it is left out. */
type Drawn = { weight?: Init; bias?: Init };

/** `[out, in]` and `[out]`. */
export function linearEntries(
  path: string,
  reference: string,
  [out, input]: [out: number, input: number],
  { weight, bias, ...rest }: Drawn & Rest = {},
): Line[] {
  const byDefault: Init = { kind: "uniform", fanIn: input };
  const { copyOf, ...others } = rest;
  const copy = (part: string) => (copyOf === undefined ? {} : { copyOf: `${copyOf}.${part}` });
  return [
    tensorEntry(`${path}.weight`, `${reference}.weight`, [out, input], weight ?? byDefault, {
      ...others,
      ...copy("weight"),
      layout: "linear",
    }),
    tensorEntry(`${path}.bias`, `${reference}.bias`, [out], bias ?? byDefault, { ...others, ...copy("bias") }),
  ];
}

/** Weight and bias of a layer norm, `[width]` each. */
export function normEntries(path: string, reference: string, width: number, rest: Rest = {}): Line[] {
  return [
    tensorEntry(`${path}.weight`, `${reference}.weight`, [width], ONES, rest),
    tensorEntry(`${path}.bias`, `${reference}.bias`, [width], ZEROS, rest),
  ];
}

/** Lines of one part of the network, complete. */
export function inPart(part: Part, lines: Line[]): NameEntry[] {
  return lines.map((line) => ({ ...line, part }));
}
