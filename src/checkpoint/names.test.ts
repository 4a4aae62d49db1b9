import { describe, expect, test } from "vitest";
import { VARIANTS } from "../architecture/variants.ts";
import { leafShapes, nameTable, referenceKeys } from "../architecture/weights/table.ts";
import { fromFloat32, type StateDict, size, toFloat32 } from "../util/hostTensor.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import { fromLeaves, toLeaves } from "./names.ts";

const small = {
  ...VARIANTS["large-deprecated"],
  encoder: { hiddenSize: 8, numAttentionHeads: 2, numHiddenLayers: 3, mlpRatio: 3 },
  outFeatureIndexes: [1, 3],
  patchSize: 2,
  positionalEncodingSize: 3,
  hiddenDim: 12,
  saNheads: 3,
  caNheads: 4,
  dimFeedforward: 5,
  numQueries: 7,
  groupDetr: 2,
  numClasses: 3,
  decLayers: 2,
};

function randomWeights(): StateDict {
  const rng = rngFromSeed(3);
  return new Map(
    [...referenceKeys(small)].map(([name, shape]) => {
      if (name === "_kp_active_mask") return [name, { dtype: "BOOL" as const, shape, bytes: new Uint8Array(0) }];
      return [
        name,
        fromFloat32(
          Float32Array.from({ length: size(shape) }, () => rng.normal()),
          shape,
        ),
      ];
    }),
  );
}

describe("the table of names", () => {
  test("is a bijection: reference -> ours -> reference gives the same bytes in the same order", () => {
    const weights = randomWeights();
    const back = fromLeaves(toLeaves(weights, small), small);
    expect([...back.keys()]).toEqual([...weights.keys()]);
    for (const [name, tensor] of weights) {
      expect(back.get(name)!.shape).toEqual(tensor.shape);
      expect(Buffer.from(back.get(name)!.bytes).equals(Buffer.from(tensor.bytes)), name).toBe(true);
    }
  });

  test("turns a linear layer's [out, in] into [in, out]", () => {
    const weights = randomWeights();
    const { shape, data } = toLeaves(weights, small).get("decoder.layers.1.linear1.weight")!;
    const reference = toFloat32(weights.get("transformer.decoder.layers.1.linear1.weight")!);
    expect(shape).toEqual([12, 5]);
    expect(data[2 * 5 + 4]).toBe(reference[4 * 12 + 2]); // in 2, out 4
  });

  test("turns a convolution's [out, in, height, width] into [height, width, in, out]", () => {
    const weights = randomWeights();
    const { shape, data } = toLeaves(weights, small).get("backbone.embeddings.patch.weight")!;
    const name = "backbone.0.encoder.encoder.embeddings.patch_embeddings.projection.weight";
    expect(shape).toEqual([2, 2, 3, 8]);
    expect(data[((1 * 2 + 0) * 3 + 2) * 8 + 5]).toBe(toFloat32(weights.get(name)!)[((5 * 3 + 2) * 2 + 1) * 2 + 0]);
  });

  test("turns a transposed convolution's [in, out, height, width] into [in, height, width, out]", () => {
    const weights = randomWeights();
    const { shape, data } = toLeaves(weights, small).get("projector.levels.0.sampling.1.weight")!;
    const reference = toFloat32(weights.get("backbone.0.projector.stages_sampling.0.1.0.weight")!);
    expect(shape).toEqual([8, 2, 2, 4]);
    expect(data[((3 * 2 + 1) * 2 + 0) * 4 + 2]).toBe(reference[((3 * 4 + 2) * 2 + 1) * 2 + 0]);
  });

  test("unpacks query, key and value, and stacks the groups", () => {
    const weights = randomWeights();
    const leaves = toLeaves(weights, small);
    const packed = toFloat32(weights.get("transformer.decoder.layers.0.self_attn.in_proj_bias")!);
    expect([...leaves.get("decoder.layers.0.selfAttention.value.bias")!.data]).toEqual([...packed.subarray(24)]);
    const stacked = leaves.get("heads.twoStageClass.bias")!;
    expect(stacked.shape).toEqual([2, 4]);
    expect([...stacked.data.subarray(4)]).toEqual([
      ...toFloat32(weights.get("transformer.enc_out_class_embed.1.bias")!),
    ]);
  });

  test("has no path and no reference tensor twice, other than in stacks and packs", () => {
    const entries = nameTable(VARIANTS.nano);
    const places = entries.map(({ path, stack }) => `${path} ${stack?.index}`);
    expect(new Set(places).size).toBe(places.length);
    const parts = entries.map(({ reference, rows }) => `${reference} ${rows?.start}`);
    expect(new Set(parts).size).toBe(parts.length);
  });

  test("puts every weight into one of the four parts that stages name", () => {
    const parts = new Set([...leafShapes(VARIANTS.base).keys()].map((path) => path.split(".")[0]));
    expect([...parts].sort()).toEqual(["backbone", "decoder", "heads", "projector"]);
  });

  test("a missing tensor and a wrong shape are named", () => {
    const weights = randomWeights();
    weights.delete("class_embed.bias");
    expect(() => toLeaves(weights, small)).toThrow("class_embed.bias");
    weights.set("class_embed.bias", fromFloat32(new Float32Array(5), [5]));
    expect(() => toLeaves(weights, small)).toThrow("[5]");
  });
});
