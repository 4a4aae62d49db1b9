import { describe, expect, it } from "vitest";
import { nameTable, parameterCount, referenceKeys } from "../../src/architecture/weights/table.ts";
import { paramGroups } from "../../src/step/optimiser/paramGroups.ts";
import { type ArchitectureName, architectureOf, readFixture, readGroups, readKeys } from "./fixtures.ts";
import { checksum, generatedImages, generatedTensor, type ImageSpec } from "./generatedWeights.ts";

const keys = readKeys();
const groups = readGroups();

describe.each(Object.keys(keys) as ArchitectureName[])("the architecture %s", (name) => {
  const architecture = architectureOf(name);

  it("has the reference's weights, in its order, with its shapes", () => {
    const ours = [...referenceKeys(architecture)].map(([key, shape]) => `${key} [${shape}]`);
    const theirs = Object.entries(keys[name].weights).map(([key, shape]) => `${key} [${shape}]`);
    expect(ours).toEqual(theirs);
  });

  it("has the reference's number of parameters", () => {
    expect(parameterCount(architecture)).toBe(keys[name].parameters);
  });

  it("trains every weight with the reference's learning rate and weight decay", () => {
    const ours = paramGroups(nameTable(architecture), {
      lr: 1e-4,
      lrEncoder: 1.5e-4,
      lrVitLayerDecay: 0.8,
      lrComponentDecay: 0.7,
      weightDecay: 1e-4,
    });
    const byName = (list: { lr: number; weightDecay: number; names: string[] }[]) =>
      list
        .flatMap((g) => g.names.map((key) => `${key} ${g.lr.toExponential(10)} ${g.weightDecay.toExponential(10)}`))
        .sort();
    expect(byName(ours.map((g) => ({ ...g, names: g.references })))).toEqual(byName(groups[name]));
  });
});

describe("what the fixtures do not hold", () => {
  it("is generated with the same bits as by the script that made them: weights", () => {
    for (const { weights, checksums } of Object.values(keys))
      for (const [key, sum] of Object.entries(checksums)) {
        expect(checksum(generatedTensor(key, weights[key]!, 3)), key).toBe(sum);
      }
  });

  it.each(["tiny-native", "tiny-wide", "tiny-padded"])(
    "is generated with the same bits: images of %s",
    async (name) => {
      const { about } = await readFixture<ImageSpec & { imageChecksum: number }>(`eval/${name}`);
      expect(checksum(generatedImages("images", about))).toBe(about.imageChecksum);
    },
  );
});
