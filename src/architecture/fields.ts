// Architectures from and to the reference's ModelConfig fields, from the shapes of weights, and what makes one valid.

import { UserError } from "../util/errors.ts";
import { MASK_STRIDE } from "./facts.ts";
import { type Architecture, VARIANTS, type VariantName } from "./variants.ts";

/** ModelConfig's names of our fields; `encoder` and the field lists are treated apart. */
const NUMBERS = {
  patch_size: "patchSize",
  num_windows: "numWindows",
  positional_encoding_size: "positionalEncodingSize",
  resolution: "resolution",
  hidden_dim: "hiddenDim",
  sa_nheads: "saNheads",
  ca_nheads: "caNheads",
  dec_n_points: "decNPoints",
  dec_layers: "decLayers",
  dim_feedforward: "dimFeedforward",
  num_queries: "numQueries",
  num_select: "numSelect",
  group_detr: "groupDetr",
  num_classes: "numClasses",
} as const satisfies Record<string, keyof Architecture>;

const ENCODER_NUMBERS = {
  hidden_size: "hiddenSize",
  num_attention_heads: "numAttentionHeads",
  num_hidden_layers: "numHiddenLayers",
  mlp_ratio: "mlpRatio",
} as const;

/** Far above every published model; they bound what a file can make us build by a number alone. Others: a million. */
const MOST: Record<string, number> = {
  ...{ patch_size: 256, num_windows: 64, positional_encoding_size: 2048, resolution: 8192, hidden_dim: 16_384 },
  ...{ sa_nheads: 1024, ca_nheads: 1024, dec_n_points: 1024, dec_layers: 64, group_detr: 64, num_queries: 100_000 },
  ...{ hidden_size: 16_384, num_attention_heads: 1024, num_hidden_layers: 128, mlp_ratio: 64 },
};

/** The encoders that the reference names. */
const NAMED_ENCODERS: Record<string, Architecture["encoder"]> = {
  dinov2_windowed_small: VARIANTS.nano.encoder,
  dinov2_windowed_base: VARIANTS["large-deprecated"].encoder,
};

/**
 * The base with fields of the reference's ModelConfig put in their place (names in snake_case; unknown ones and null are
 * left alone). A new resolution brings a table of position embeddings of its size, where the base's has its own size.
 * Throws a UserError when a value has the wrong type or the result is not valid.
 */
export function withFields(base: Architecture, fields: Record<string, unknown>, source = "model"): Architecture {
  const result: Architecture = { ...base };
  for (const [name, key] of Object.entries(NUMBERS)) {
    const value = fields[name];
    if (value === undefined || value === null) continue;
    const most = MOST[name] ?? 1e6;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > most)
      throw new UserError(`${source}.${name} is ${shown(value)}; it must be a whole number from 1 to ${most}.`);
    result[key] = value;
  }
  const masks = fields.segmentation_head;
  if (masks !== undefined && masks !== null) {
    if (typeof masks !== "boolean")
      throw new UserError(`${source}.segmentation_head is ${shown(masks)}; it must be true or false.`);
    result.segmentationHead = masks;
  }
  const stride = fields.mask_downsample_ratio;
  if (result.segmentationHead && stride !== undefined && stride !== null && stride !== MASK_STRIDE)
    throw new UserError(`${source}.mask_downsample_ratio is ${shown(stride)}; only ${MASK_STRIDE} is supported.`);
  const { encoder, out_feature_indexes: features, projector_scale: scales } = fields;
  if (typeof encoder === "string") {
    const known = Object.hasOwn(NAMED_ENCODERS, encoder) ? NAMED_ENCODERS[encoder] : undefined;
    if (!known) throw new UserError(`${source}.encoder is ${shown(encoder)}, which is not supported.`);
    result.encoder = known;
  } else if (encoder !== undefined && encoder !== null) {
    const given = encoder as Record<string, unknown>;
    result.encoder = { ...base.encoder };
    for (const [name, key] of Object.entries(ENCODER_NUMBERS)) {
      const value = given[name];
      if (value === undefined) continue;
      const most = MOST[name]!;
      if (typeof value !== "number" || !(value > 0 && value <= most))
        throw new UserError(
          `${source}.encoder.${name} is ${shown(value)}; it must be a number above 0 and at most ${most}.`,
        );
      result.encoder[key] = value;
    }
  }
  for (const [name, list] of Object.entries({ out_feature_indexes: features, projector_scale: scales }))
    if (Array.isArray(list) && list.length > MOST.num_hidden_layers!)
      throw new UserError(`${source}.${name} is a list of ${list.length}.`);
  if (Array.isArray(features)) result.outFeatureIndexes = features.map(Number);
  if (Array.isArray(scales)) result.projectorScale = scales as Architecture["projectorScale"];
  const followsResolution = base.positionalEncodingSize === Math.floor(base.resolution / base.patchSize);
  if (fields.resolution != null && fields.positional_encoding_size == null && followsResolution)
    result.positionalEncodingSize = Math.floor(result.resolution / result.patchSize);
  validate(result, source);
  return result;
}

/** ModelConfig fields of an architecture. An encoder that has no name in the reference is written as its sizes. */
export function toFields(
  architecture: Architecture,
): Record<string, string | number | boolean | (string | number)[] | object> {
  const name = Object.entries(NAMED_ENCODERS).find(([, sizes]) => same(sizes, architecture.encoder))?.[0];
  const numbers = Object.entries(NUMBERS).map(([field, key]) => [field, architecture[key]]);
  const sizes = Object.entries(ENCODER_NUMBERS).map(([field, key]) => [field, architecture.encoder[key]]);
  return {
    encoder: name ?? Object.fromEntries(sizes),
    out_feature_indexes: architecture.outFeatureIndexes,
    projector_scale: architecture.projectorScale,
    ...Object.fromEntries(numbers),
    segmentation_head: architecture.segmentationHead,
  };
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}

function same(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Throws a UserError that names the field, unless the network can be built. */
function validate(a: Architecture, source: string): void {
  const check = (ok: boolean, field: string, why: string, hint?: string) => {
    if (!ok) throw new UserError(`${source}.${field} ${why}`, hint === undefined ? {} : { hint });
  };
  const { encoder } = a;
  const divides = (field: string, n: number, of: number, name: string) =>
    check(of % n === 0, field, `is ${n}; it must divide ${name}, which is ${of}.`);
  const block = a.patchSize * a.numWindows;
  const nearest = Math.max(1, Math.round(a.resolution / block)) * block;
  check(
    a.resolution % block === 0,
    "resolution",
    `is ${a.resolution}; it must be a multiple of patch_size * num_windows = ${block}.`,
    `The nearest that works is ${nearest}.`,
  );
  for (const key of ["hiddenSize", "numAttentionHeads", "numHiddenLayers"] as const)
    check(Number.isInteger(encoder[key]), "encoder", `has a ${key} of ${encoder[key]}; it must be a whole number.`);
  check(Number.isInteger(encoder.hiddenSize * encoder.mlpRatio), "encoder.mlp_ratio", "must give a whole width.");
  divides("encoder.num_attention_heads", encoder.numAttentionHeads, encoder.hiddenSize, "encoder.hidden_size");
  divides("sa_nheads", a.saNheads, a.hiddenDim, "hidden_dim");
  divides("ca_nheads", a.caNheads, a.hiddenDim, "hidden_dim");
  check(a.hiddenDim % 4 === 0, "hidden_dim", `is ${a.hiddenDim}; it must be a multiple of 4.`);
  const ascending = a.outFeatureIndexes.every((n, i) => Number.isInteger(n) && n > (a.outFeatureIndexes[i - 1] ?? 0));
  check(
    a.outFeatureIndexes.length > 0 && ascending && Math.max(...a.outFeatureIndexes) <= encoder.numHiddenLayers,
    "out_feature_indexes",
    `is [${a.outFeatureIndexes}]; it must rise and stay within the encoder's ${encoder.numHiddenLayers} blocks, from 1.`,
  );
  const order = ["P3", "P4", "P5", "P6"];
  const places = a.projectorScale.map((scale) => order.indexOf(scale));
  check(
    places.length > 0 && places.every((place, i) => place > (places[i - 1] ?? -1)) && places[0] !== 3,
    "projector_scale",
    `is [${a.projectorScale}]; it must name levels of P3, P4, P5, P6 from fine to coarse, and not P6 alone.`,
  );
}

/** The published variant that these weights' shapes fit, whatever their number of classes, queries and groups. */
export function variantOfShapes(shapes: Map<string, readonly number[]>): VariantName | undefined {
  const root = "backbone.0.encoder.encoder";
  const dims = (name: string) => shapes.get(name) ?? [];
  const patch = dims(`${root}.embeddings.patch_embeddings.projection.weight`);
  const layers = [...shapes.keys()].filter((name) => /^transformer\.decoder\.layers\.\d+\.norm1\.weight$/.test(name));
  const positions = dims(`${root}.embeddings.position_embeddings`)[1];
  const found = (Object.entries(VARIANTS) as [VariantName, Architecture][]).filter(
    ([, a]) =>
      patch[0] === a.encoder.hiddenSize &&
      patch[2] === a.patchSize &&
      layers.length === a.decLayers &&
      shapes.has("segmentation_head.bias") === a.segmentationHead &&
      dims("class_embed.weight")[1] === a.hiddenDim &&
      dims("transformer.decoder.layers.0.cross_attn.attention_weights.bias")[0] ===
        a.caNheads * a.projectorScale.length * a.decNPoints,
  );
  const exact = found.find(([, a]) => a.positionalEncodingSize ** 2 + 1 === positions);
  return (exact ?? found[0])?.[0];
}
