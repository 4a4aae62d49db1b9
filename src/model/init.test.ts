import { describe, expect, test } from "vitest";
import { SMALL as model } from "../../tests/support/smallArchitecture.ts";
import { referenceKeys } from "../architecture/weights/table.ts";
import { type StateDict, toFloat32 } from "../util/hostTensor.ts";
import { initialise } from "./init.ts";

const values = (tensors: StateDict, name: string) => [...toFloat32(tensors.get(name)!)];

describe("initialise", () => {
  const tensors = initialise(referenceKeys(model), 7, model);

  test("gives every tensor of the architecture, the same for the same seed", () => {
    expect([...tensors.keys()]).toEqual([...referenceKeys(model).keys()]);
    const again = initialise(referenceKeys(model), 7, model);
    for (const [name, tensor] of tensors) expect(again.get(name)!.bytes).toEqual(tensor.bytes);
    expect(initialise(referenceKeys(model), 8, model).get("query_feat.weight")!.bytes).not.toEqual(
      tensors.get("query_feat.weight")!.bytes,
    );
  });

  test("starts every class at a probability of 0.01 and every box at its reference", () => {
    for (const value of values(tensors, "class_embed.bias")) expect(1 / (1 + Math.exp(-value))).toBeCloseTo(0.01, 6);
    expect(values(tensors, "bbox_embed.layers.2.weight").every((value) => value === 0)).toBe(true);
    expect(values(tensors, "refpoint_embed.weight").every((value) => value === 0)).toBe(true);
  });

  test("copies the heads to all groups and the linear biases to all decoder layers", () => {
    const same = (a: string, b: string) => expect(tensors.get(a)!.bytes).toEqual(tensors.get(b)!.bytes);
    same("transformer.enc_out_class_embed.2.weight", "class_embed.weight");
    same("transformer.enc_out_bbox_embed.1.layers.0.weight", "bbox_embed.layers.0.weight");
    same("transformer.decoder.layers.0.linear1.bias", "transformer.decoder.layers.1.linear1.bias");
    expect(tensors.get("transformer.decoder.layers.0.linear1.weight")!.bytes).not.toEqual(
      tensors.get("transformer.decoder.layers.1.linear1.weight")!.bytes,
    );
  });

  test("norms are the identity, layer scales one, the encoder's biases zero", () => {
    expect(new Set(values(tensors, "transformer.decoder.norm.weight"))).toEqual(new Set([1]));
    expect(new Set(values(tensors, "backbone.0.encoder.encoder.encoder.layer.1.layer_scale2.lambda1"))).toEqual(new Set([1])); // biome-ignore format: one line
    expect(new Set(values(tensors, "backbone.0.projector.stages.0.0.m.1.cv2.bn.weight"))).toEqual(new Set([1]));
    expect(new Set(values(tensors, "backbone.0.projector.stages.0.1.bias"))).toEqual(new Set([0]));
    expect(new Set(values(tensors, "backbone.0.encoder.encoder.encoder.layer.0.mlp.fc1.bias"))).toEqual(new Set([0]));
  });

  test("sampling offsets point in as many directions as heads, a step further a point", () => {
    const bias = values(tensors, "transformer.decoder.layers.0.cross_attn.sampling_offsets.bias");
    expect(bias.map((v) => Math.round(v * 1e6) / 1e6 + 0)).toEqual([1, 0, 2, 0, -1, 0, -2, 0]);
  });

  test("draws stay within the bounds of their fan", () => {
    const bound = Math.sqrt(6 / (8 + 8));
    const drawn = values(tensors, "transformer.decoder.layers.0.linear1.weight").map(Math.abs);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(bound);
    expect(Math.max(...drawn)).toBeGreaterThan(0.8 * bound);
    const encoder = values(tensors, "backbone.0.encoder.encoder.encoder.layer.0.mlp.fc1.weight");
    const deviation = Math.sqrt(encoder.reduce((sum, v) => sum + v * v, 0) / encoder.length);
    expect(deviation).toBeGreaterThan(0.015);
    expect(deviation).toBeLessThan(0.025);
  });
});
