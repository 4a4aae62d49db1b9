// The one place that knows the reference's weight names and layouts (state_dict of rfdetr's LWDETR); both directions
// between them and our weight tree are derived from one table.

import type { Architecture, ProjectorScale } from "../architecture/variants.ts";
import { UserError } from "../util/errors.ts";
import { fromFloat32, type StateDict, size, toFloat32 } from "../util/hostTensor.ts";

/** How a tensor lies on disk: as ours, or `[out, in]`, `[out, in, height, width]`, `[in, out, height, width]`. */
type Layout = "same" | "linear" | "conv" | "convTranspose";

/** One reference tensor (or some rows of it) and the leaf of our tree (or the slice of it) that holds the same numbers. */
export type NameEntry = {
  /** Path in our weight tree, e.g. `decoder.layers.0.selfAttention.query.weight`. */
  path: string;
  /** Name in the reference's state dict. */
  reference: string;
  /** The complete shape of the reference's tensor. */
  shape: number[];
  layout: Layout;
  /** Our leaf stacks `of` reference tensors on a leading axis; this one is at `index`. */
  stack?: { index: number; of: number };
  /** Our leaf holds only the rows from `start` of the reference's tensor, `count` of them. */
  rows?: { start: number; count: number };
};

/** A leaf of our weight tree in host memory. */
export type Leaf = { shape: number[]; data: Float32Array };

/** A buffer that every checkpoint of the reference holds; a detection model does not use it. */
const UNUSED_BUFFER = "_kp_active_mask";

/** Resampling factor of each projector output relative to the encoder's feature maps. */
const SCALE_FACTOR: Record<ProjectorScale, number> = { P3: 2, P4: 1, P5: 0.5, P6: 0.25 };

/** Every weight of an architecture, in the reference's order. */
export function nameTable(architecture: Architecture): NameEntry[] {
  const { encoder, hiddenDim: dim, groupDetr: groups, numQueries, decLayers } = architecture;
  const classes = architecture.numClasses + 1;
  const entries: NameEntry[] = [];
  const add = (
    path: string,
    reference: string,
    shape: number[],
    layout: Layout = "same",
    rest: Partial<NameEntry> = {},
  ) => entries.push({ path, reference, shape, layout, ...rest });
  const linear = (path: string, reference: string, out: number, input: number, rest: Partial<NameEntry> = {}) => {
    add(`${path}.weight`, `${reference}.weight`, [out, input], "linear", rest);
    add(`${path}.bias`, `${reference}.bias`, [out], "same", rest);
  };
  const norm = (path: string, reference: string, width: number, rest: Partial<NameEntry> = {}) => {
    add(`${path}.weight`, `${reference}.weight`, [width], "same", rest);
    add(`${path}.bias`, `${reference}.bias`, [width], "same", rest);
  };
  const boxHead = (path: string, reference: string, rest: Partial<NameEntry> = {}) =>
    [dim, dim, 4].forEach((out, i) => {
      linear(`${path}.${i}`, `${reference}.layers.${i}`, out, dim, rest);
    });

  const points = architecture.caNheads * architecture.projectorScale.length * architecture.decNPoints;
  for (let i = 0; i < decLayers; i++) {
    const path = `decoder.layers.${i}`;
    const reference = `transformer.decoder.layers.${i}`;
    const packed = ["query", "key", "value"].map(
      (name, j) => [name, { rows: { start: j * dim, count: dim } }] as const,
    );
    for (const [name, rows] of packed)
      add(
        `${path}.selfAttention.${name}.weight`,
        `${reference}.self_attn.in_proj_weight`,
        [3 * dim, dim],
        "linear",
        rows,
      );
    for (const [name, rows] of packed)
      add(`${path}.selfAttention.${name}.bias`, `${reference}.self_attn.in_proj_bias`, [3 * dim], "same", rows);
    linear(`${path}.selfAttention.output`, `${reference}.self_attn.out_proj`, dim, dim);
    norm(`${path}.norm1`, `${reference}.norm1`, dim);
    linear(`${path}.crossAttention.samplingOffsets`, `${reference}.cross_attn.sampling_offsets`, 2 * points, dim);
    linear(`${path}.crossAttention.attentionWeights`, `${reference}.cross_attn.attention_weights`, points, dim);
    linear(`${path}.crossAttention.value`, `${reference}.cross_attn.value_proj`, dim, dim);
    linear(`${path}.crossAttention.output`, `${reference}.cross_attn.output_proj`, dim, dim);
    linear(`${path}.linear1`, `${reference}.linear1`, architecture.dimFeedforward, dim);
    linear(`${path}.linear2`, `${reference}.linear2`, dim, architecture.dimFeedforward);
    norm(`${path}.norm2`, `${reference}.norm2`, dim);
    norm(`${path}.norm3`, `${reference}.norm3`, dim);
  }
  norm("decoder.norm", "transformer.decoder.norm", dim);
  linear("decoder.referencePointHead.0", "transformer.decoder.ref_point_head.layers.0", dim, 2 * dim);
  linear("decoder.referencePointHead.1", "transformer.decoder.ref_point_head.layers.1", dim, dim);

  const perGroup = Array.from({ length: groups }, (_, index) => ({ index, of: groups }));
  for (const stack of perGroup)
    linear("decoder.twoStage.output", `transformer.enc_output.${stack.index}`, dim, dim, { stack });
  for (const stack of perGroup)
    norm("decoder.twoStage.norm", `transformer.enc_output_norm.${stack.index}`, dim, { stack });
  for (const stack of perGroup)
    boxHead("heads.twoStageBox", `transformer.enc_out_bbox_embed.${stack.index}`, { stack });
  for (const stack of perGroup)
    linear("heads.twoStageClass", `transformer.enc_out_class_embed.${stack.index}`, classes, dim, { stack });
  linear("heads.class", "class_embed", classes, dim);
  boxHead("heads.box", "bbox_embed");
  add("decoder.queries.referencePoints", "refpoint_embed.weight", [groups * numQueries, 4]);
  add("decoder.queries.features", "query_feat.weight", [groups * numQueries, dim]);

  const width = encoder.hiddenSize;
  const root = "backbone.0.encoder.encoder";
  const patches = architecture.positionalEncodingSize ** 2;
  add("backbone.embeddings.classToken", `${root}.embeddings.cls_token`, [1, 1, width]);
  add("backbone.embeddings.maskToken", `${root}.embeddings.mask_token`, [1, width]);
  add("backbone.embeddings.positionEmbeddings", `${root}.embeddings.position_embeddings`, [1, patches + 1, width]);
  const patch = architecture.patchSize;
  add(
    "backbone.embeddings.patch.weight",
    `${root}.embeddings.patch_embeddings.projection.weight`,
    [width, 3, patch, patch],
    "conv",
  );
  add("backbone.embeddings.patch.bias", `${root}.embeddings.patch_embeddings.projection.bias`, [width]);
  for (let i = 0; i < encoder.numHiddenLayers; i++) {
    const path = `backbone.blocks.${i}`;
    const reference = `${root}.encoder.layer.${i}`;
    norm(`${path}.norm1`, `${reference}.norm1`, width);
    for (const name of ["query", "key", "value"])
      linear(`${path}.attention.${name}`, `${reference}.attention.attention.${name}`, width, width);
    linear(`${path}.attention.output`, `${reference}.attention.output.dense`, width, width);
    add(`${path}.layerScale1`, `${reference}.layer_scale1.lambda1`, [width]);
    norm(`${path}.norm2`, `${reference}.norm2`, width);
    linear(`${path}.mlp.fc1`, `${reference}.mlp.fc1`, width * encoder.mlpRatio, width);
    linear(`${path}.mlp.fc2`, `${reference}.mlp.fc2`, width, width * encoder.mlpRatio);
    add(`${path}.layerScale2`, `${reference}.layer_scale2.lambda1`, [width]);
  }
  norm("backbone.norm", `${root}.layernorm`, width);

  const convNorm = (path: string, reference: string, out: number, input: number, kernel: number) => {
    add(`${path}.conv`, `${reference}.conv.weight`, [out, input, kernel, kernel], "conv");
    norm(`${path}.norm`, `${reference}.bn`, out);
  };
  const maps = architecture.outFeatureIndexes.length;
  const levels = architecture.projectorScale.filter((scale) => scale !== "P6");
  levels.forEach((scale, i) => {
    for (let map = 0; map < maps; map++) {
      const path = `projector.levels.${i}.sampling.${map}`;
      const reference = `backbone.0.projector.stages_sampling.${i}.${map}`;
      if (scale === "P3") {
        add(`${path}.weight`, `${reference}.0.weight`, [width, width / 2, 2, 2], "convTranspose");
        add(`${path}.bias`, `${reference}.0.bias`, [width / 2]);
      } else if (scale === "P5") convNorm(path, `${reference}.0`, width, width, 3);
    }
  });
  levels.forEach((scale, i) => {
    const path = `projector.levels.${i}`;
    const reference = `backbone.0.projector.stages.${i}`;
    const input = maps * Math.floor(width / Math.max(1, SCALE_FACTOR[scale]));
    const half = dim / 2;
    convNorm(`${path}.fuse.input`, `${reference}.0.cv1`, dim, input, 1);
    convNorm(`${path}.fuse.output`, `${reference}.0.cv2`, dim, 5 * half, 1);
    for (let j = 0; j < 3; j++)
      for (const k of [0, 1])
        convNorm(`${path}.fuse.bottlenecks.${j}.${k}`, `${reference}.0.m.${j}.cv${k + 1}`, half, half, 3);
    norm(`${path}.norm`, `${reference}.1`, dim);
  });
  return entries;
}

/** Shape of our leaf (or of its slice, where it stacks several tensors) for an entry. */
function sliceShape({ shape, layout, rows }: NameEntry): number[] {
  const [a, b, c, d] = rows ? [rows.count, ...shape.slice(1)] : shape;
  if (layout === "linear") return [b!, a!];
  if (layout === "conv") return [c!, d!, b!, a!];
  if (layout === "convTranspose") return [a!, c!, d!, b!];
  return rows ? [rows.count, ...shape.slice(1)] : shape;
}

/** Shapes of all leaves by path, in the order of the table. */
export function leafShapes(architecture: Architecture): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  for (const entry of nameTable(architecture)) {
    const shape = sliceShape(entry);
    shapes.set(entry.path, entry.stack ? [entry.stack.of, ...shape] : shape);
  }
  return shapes;
}

/** Number of trainable parameters, counted as the reference counts them. */
export function parameterCount(architecture: Architecture): number {
  let count = 0;
  for (const shape of leafShapes(architecture).values()) count += size(shape);
  return count;
}

/** The reference's key list with shapes, in its order, with the buffer that every checkpoint holds. */
export function referenceKeys(architecture: Architecture): Map<string, number[]> {
  const keys = new Map<string, number[]>([[UNUSED_BUFFER, [0, 0]]]);
  for (const { reference, shape } of nameTable(architecture)) keys.set(reference, shape);
  return keys;
}

/** Names that a reference checkpoint may hold and that are no weights of ours. */
export function isIgnoredName(name: string): boolean {
  return name === UNUSED_BUFFER;
}

/**
 * Our leaves by path from tensors under the reference's names.
 * Throws a UserError when a tensor is missing or has another shape than the architecture says.
 */
export function toLeaves(tensors: StateDict, architecture: Architecture): Map<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  for (const [path, shape] of leafShapes(architecture))
    leaves.set(path, { shape, data: new Float32Array(size(shape)) });
  for (const entry of nameTable(architecture)) {
    const tensor = tensors.get(entry.reference);
    if (!tensor) throw new UserError(`The weights lack the tensor ${entry.reference}.`);
    if (tensor.shape.join() !== entry.shape.join())
      throw new UserError(
        `The weights' tensor ${entry.reference} has the shape [${tensor.shape}]; this architecture needs [${entry.shape}].`,
      );
    permute(entry, toFloat32(tensor), leaves.get(entry.path)!.data, "toOurs");
  }
  return leaves;
}

/** Tensors under the reference's names and in its layout and order, from our leaves by path. */
export function fromLeaves(leaves: Map<string, Leaf>, architecture: Architecture): StateDict {
  const tensors: StateDict = new Map([[UNUSED_BUFFER, { dtype: "BOOL", shape: [0, 0], bytes: new Uint8Array(0) }]]);
  const arrays = new Map<string, Float32Array>();
  for (const entry of nameTable(architecture)) {
    const leaf = leaves.get(entry.path);
    if (!leaf) throw new Error(`the weight tree lacks ${entry.path}`);
    let data = arrays.get(entry.reference);
    if (!data) {
      data = new Float32Array(size(entry.shape));
      arrays.set(entry.reference, data);
      tensors.set(entry.reference, fromFloat32(data, entry.shape));
    }
    permute(entry, data, leaf.data, "toReference");
  }
  return tensors;
}

/** Copy between a reference tensor and our leaf's slice, in one direction or the other. */
function permute(entry: NameEntry, reference: Float32Array, ours: Float32Array, direction: "toOurs" | "toReference") {
  const shape = sliceShape(entry);
  const length = size(shape);
  const offset = (entry.stack?.index ?? 0) * length;
  const start = entry.rows ? entry.rows.start * size(entry.shape.slice(1)) : 0;
  const [a = 1, b = 1, c = 1, d = 1] = entry.rows ? [entry.rows.count, ...entry.shape.slice(1)] : entry.shape;
  const copy =
    direction === "toOurs"
      ? (i: number, j: number) => {
          ours[offset + j] = reference[start + i]!;
        }
      : (i: number, j: number) => {
          reference[start + i] = ours[offset + j]!;
        };
  if (entry.layout === "same") {
    for (let i = 0; i < length; i++) copy(i, i);
    return;
  }
  // strides of our layout along the reference's axes
  const [sa, sb, sc, sd] = {
    linear: [1, a, 0, 0],
    conv: [1, a, d * b * a, b * a],
    convTranspose: [c * d * b, 1, d * b, b],
  }[entry.layout] as [number, number, number, number];
  let i = 0;
  for (let ia = 0; ia < a; ia++)
    for (let ib = 0; ib < b; ib++)
      for (let ic = 0; ic < c; ic++) for (let id = 0; id < d; id++) copy(i++, ia * sa + ib * sb + ic * sc + id * sd);
}
