import { describe, expect, test } from "vitest";
import { SMALL as model } from "../../tests/support/smallArchitecture.ts";
import type { Architecture } from "../architecture/variants.ts";
import { referenceKeys } from "../architecture/weights/table.ts";
import { fromFloat32, type StateDict, size, toFloat32 } from "../util/hostTensor.ts";
import { adaptWeights } from "./adapt.ts";

/** Every tensor counts 0, 1, 2, ... */
function counting(architecture: Architecture): StateDict {
  const tensors: StateDict = new Map();
  for (const [name, shape] of referenceKeys(architecture))
    if (name !== "_kp_active_mask") tensors.set(name, fromFloat32(Float32Array.from({ length: size(shape) }, (_, i) => i), shape)); // biome-ignore format: one line
  return tensors;
}

const values = (tensors: StateDict, name: string) => [...toFloat32(tensors.get(name)!)];

describe("adaptWeights", () => {
  test("passes weights that fit through untouched", () => {
    const tensors = counting(model);
    const { tensors: adapted, report } = adaptWeights("w.pth", tensors, model);
    expect(report).toEqual({ loaded: tensors.size, reshaped: [], missing: [], unexpected: [] });
    expect(adapted.get("class_embed.bias")).toBe(tensors.get("class_embed.bias"));
  });

  test.each([Number.NaN, Number.NEGATIVE_INFINITY])("a weight that is %s is refused by name", (value) => {
    const tensors = counting(model);
    tensors.set("class_embed.bias", fromFloat32(new Float32Array(7).fill(value, 3, 4), [7]));
    expect(() => adaptWeights("w.pth", tensors, model)).toThrow(
      "w.pth holds values that are not finite numbers, in class_embed.bias.",
    );
  });

  test("fewer classes keep the first rows of the class heads", () => {
    const { tensors, report } = adaptWeights("w.pth", counting(model), { ...model, numClasses: 2 });
    expect(values(tensors, "class_embed.bias")).toEqual([0, 1, 2]);
    expect(values(tensors, "transformer.enc_out_class_embed.2.bias")).toEqual([0, 1, 2]);
    expect(report.reshaped).toHaveLength(2 + 2 * 3);
    expect(report.reshaped).toContainEqual({ name: "class_embed.weight", from: [7, 8], to: [3, 8] });
  });

  test("more classes repeat the rows from the first on", () => {
    const { tensors } = adaptWeights("w.pth", counting({ ...model, numClasses: 2 }), model);
    expect(values(tensors, "class_embed.bias")).toEqual([0, 1, 2, 0, 1, 2, 0]);
  });

  test("fewer queries keep the first of each group where the file says how they are grouped", () => {
    const smaller = { ...model, numQueries: 2, groupDetr: 2 };
    const { tensors } = adaptWeights("w.pth", counting(model), smaller, { numQueries: 5, groupDetr: 3 });
    expect(values(tensors, "refpoint_embed.weight")).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 22, 23, 24, 25, 26, 27]);
  });

  test("and the first rows where it does not", () => {
    const { tensors } = adaptWeights("w.pth", counting(model), { ...model, numQueries: 2, groupDetr: 2 });
    expect(values(tensors, "refpoint_embed.weight")).toEqual(Array.from({ length: 16 }, (_, i) => i));
  });

  test("more queries than the file holds are refused", () => {
    expect(() => adaptWeights("w.pth", counting(model), { ...model, numQueries: 9 })).toThrow(/w\.pth.*fewer queries/s);
  });

  test("more queries are grown from those of each group, which stay as they are, where a seed is given", () => {
    const grown = (growSeed: number, said = {}) =>
      adaptWeights("w.pth", counting(model), { ...model, numQueries: 12, groupDetr: 2 }, { growSeed, ...said });
    const { tensors, report } = grown(1);
    expect(report.grown).toEqual({ from: 5, to: 12 });
    const before = values(counting(model), "query_feat.weight");
    const after = values(tensors, "query_feat.weight");
    expect(tensors.get("query_feat.weight")!.shape).toEqual([24, 8]);
    const row = (all: number[], at: number) => all.slice(8 * at, 8 * at + 8);
    for (let group = 0; group < 2; group++)
      for (let query = 0; query < 12; query++) {
        const own = row(after, 12 * group + query);
        const source = row(before, 5 * group + (query % 5));
        if (query < 5) expect(own).toEqual(source);
        else expect(own).not.toEqual(source);
        for (const [i, value] of own.entries()) expect(Math.abs(value - source[i]!)).toBeLessThan(20); // the deviation is 35
      }
    expect(row(after, 5)).not.toEqual(row(after, 10));
    expect(row(after, 5)).not.toEqual(row(values(tensors, "refpoint_embed.weight"), 5));
    expect(values(grown(1).tensors, "query_feat.weight")).toEqual(after);
    expect(values(grown(2).tensors, "query_feat.weight")).not.toEqual(after);
    expect(values(grown(1, { numQueries: 5, groupDetr: 3 }).tensors, "query_feat.weight")).toEqual(after);
    const fewer = { ...model, numQueries: 9, groupDetr: 4 };
    expect(() => adaptWeights("w.pth", counting(model), fewer, { growSeed: 1, numQueries: 5, groupDetr: 3 })).toThrow(
      /fewer queries/,
    );
  });

  test("position embeddings are resized, the class token's stays", () => {
    const tensors = counting(model);
    const name = "backbone.0.encoder.encoder.embeddings.position_embeddings";
    tensors.set(
      name,
      fromFloat32(
        Float32Array.from({ length: 17 * 8 }, (_, i) => (i < 8 ? i : 3)),
        [1, 17, 8],
      ),
    );
    const { tensors: adapted } = adaptWeights("w.pth", tensors, { ...model, positionalEncodingSize: 6 });
    expect(adapted.get(name)!.shape).toEqual([1, 37, 8]);
    const resized = values(adapted, name);
    expect(resized.slice(0, 8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    for (const value of resized.slice(8)) expect(value).toBeCloseTo(3, 5); // a constant stays one
  });

  test("says what is missing and what is left out", () => {
    const tensors = counting(model);
    tensors.delete("query_feat.weight");
    tensors.set("something.else", fromFloat32(new Float32Array(1), [1]));
    const { report } = adaptWeights("w.pth", tensors, model);
    expect(report.missing).toEqual(["query_feat.weight"]);
    expect(report.unexpected).toEqual(["something.else"]);
  });

  test("weights of another architecture are refused by name", () => {
    const other = { ...model, encoder: { ...model.encoder, hiddenSize: 16 } };
    expect(() => adaptWeights("w.pth", counting(model), other)).toThrow(/w\.pth does not fit/);
    const strange: StateDict = new Map([["conv1.weight", fromFloat32(new Float32Array(4), [4])]]);
    expect(() => adaptWeights("w.pth", strange, model)).toThrow(/holds 0 of its \d+ tensors.*conv1\.weight/s);
  });

  test("another patch size is named as such", () => {
    const other = { ...model, patchSize: 14 };
    expect(() => adaptWeights("w.pth", counting(model), other)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("patch size") }),
    );
  });
});
