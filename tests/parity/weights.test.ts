import { describe, expect, it } from "vitest";
import { parameterCount, referenceKeys } from "../../src/checkpoint/names.ts";
import { type ArchitectureName, architectureOf, readFixture, readKeys } from "./fixtures.ts";
import { checksum, generatedImages, generatedTensor, type ImageSpec } from "./generatedWeights.ts";

const keys = readKeys();

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
