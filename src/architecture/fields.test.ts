import { describe, expect, test } from "vitest";
import { referenceKeys } from "../architecture/weights/table.ts";
import { toFields, variantOfShapes, withFields } from "./fields.ts";
import { VARIANTS, type VariantName } from "./variants.ts";

describe("withFields", () => {
  test("a new resolution brings a table of position embeddings of its size", () => {
    expect(withFields(VARIANTS.nano, { resolution: 512 }).positionalEncodingSize).toBe(32);
  });

  test("but not where the variant has a table of its own, nor where the size is given", () => {
    expect(withFields(VARIANTS.base, { resolution: 616 }).positionalEncodingSize).toBe(37);
    expect(withFields(VARIANTS.nano, { resolution: 512, positional_encoding_size: 24 }).positionalEncodingSize).toBe(
      24,
    );
  });

  test("a resolution that does not divide is refused with the nearest that does", () => {
    expect(() => withFields(VARIANTS.nano, { resolution: 400 })).toThrow("multiple of patch_size * num_windows = 32");
    expect(() => withFields(VARIANTS.nano, { resolution: 410 })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("416") }),
    );
  });

  test.each([
    [{ dec_layers: 1_000_000 }, "dec_layers"],
    [{ group_detr: 1_000_000 }, "group_detr"],
    [{ resolution: 1_000_000 }, "resolution"],
    [{ encoder: { num_hidden_layers: 60_000 } }, "num_hidden_layers"],
    [{ encoder: "constructor" }, "encoder"],
    [{ out_feature_indexes: Array.from({ length: 300_000 }, (_, i) => i + 1) }, "out_feature_indexes"],
    [{ segmentation_head: "yes" }, "segmentation_head"],
    [{ segmentation_head: true, mask_downsample_ratio: 8 }, "mask_downsample_ratio"],
    [{ sa_nheads: 7 }, "sa_nheads"],
    [{ out_feature_indexes: [3, 13] }, "out_feature_indexes"],
    [{ out_feature_indexes: [6, 3] }, "out_feature_indexes"],
    [{ projector_scale: ["P5", "P3"] }, "projector_scale"],
    [{ projector_scale: ["P6"] }, "projector_scale"],
    [{ num_queries: 1.5 }, "num_queries"],
    [{ num_queries: 1e9 }, "num_queries"],
    [{ encoder: { hidden_size: 100, num_attention_heads: 3 } }, "num_attention_heads"],
    [{ encoder: "vit_huge" }, "encoder"],
  ])("%j is refused by the field's name", (fields, name) => {
    expect(() => withFields(VARIANTS.nano, fields)).toThrow(name);
  });

  test("undoes toFields for every variant", () => {
    for (const architecture of Object.values(VARIANTS))
      expect(withFields(VARIANTS.nano, toFields(architecture))).toEqual(architecture);
  });

  test("and for an encoder that the reference has no name for", () => {
    const encoder = { hidden_size: 96, num_attention_heads: 3, num_hidden_layers: 12, mlp_ratio: 4 };
    const custom = withFields(VARIANTS.nano, { encoder });
    expect(toFields(custom).encoder).toEqual(encoder);
  });
});

test.each(Object.keys(VARIANTS) as VariantName[])("the shapes of %s say which variant it is", (name) => {
  expect(variantOfShapes(referenceKeys({ ...VARIANTS[name], numClasses: 3, numQueries: 100 }))).toBe(name);
});
