import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { VARIANTS } from "../../architecture/variants.ts";
import { nameTable } from "../../architecture/weights/table.ts";
import { groupRates, hyperparameters, type ParamGroup, paramGroups } from "./paramGroups.ts";

const { nanoGroups } = JSON.parse(readFileSync("tests/fixtures/train/reference.json", "utf8")) as {
  nanoGroups: Omit<ParamGroup, "paths">[];
};
const settings = {
  lr: 1e-4,
  lrEncoder: 1.5e-4,
  lrVitLayerDecay: 0.8,
  lrComponentDecay: 0.7,
  weightDecay: 1e-4,
};

test("nano's parameter groups are the reference's: settings, order and members", () => {
  const groups = paramGroups(nameTable(VARIANTS.nano), settings);
  expect(groups.length).toBe(nanoGroups.length);
  groups.forEach((group, i) => {
    expect(group.lr / nanoGroups[i]!.lr).toBeCloseTo(1, 12);
    expect(group.weightDecay).toBe(nanoGroups[i]!.weightDecay);
    expect([...group.references].sort()).toEqual([...nanoGroups[i]!.references].sort());
  });
});

test("every leaf of every variant lies in exactly one group", () => {
  for (const architecture of Object.values(VARIANTS)) {
    const table = nameTable(architecture);
    const groups = paramGroups(table, settings);
    const paths = groups.flatMap((group) => group.paths);
    expect(new Set(paths).size).toBe(paths.length);
    expect(new Set(paths)).toEqual(new Set(table.map(({ path }) => path)));
  }
});

test("the table says what part every weight learns as, not its name", () => {
  const renamed = nameTable(VARIANTS.nano).map((entry) => ({ ...entry, reference: `x.${entry.reference}` }));
  const rates = (table: typeof renamed) => paramGroups(table, settings).map(({ lr, weightDecay, paths }) => [lr, weightDecay, paths]); // biome-ignore format: one line
  expect(rates(renamed)).toEqual(rates(nameTable(VARIANTS.nano)));
});

test("layer scales of the encoder are decayed, its norms, biases and embeddings are not", () => {
  const table = new Map(nameTable(VARIANTS.nano).map((entry) => [entry.reference, entry]));
  const decay = (name: string) =>
    hyperparameters(table.get(`backbone.0.encoder.encoder.${name}`)!, settings).weightDecay;
  expect(decay("encoder.layer.3.layer_scale1.lambda1")).toBe(1e-4);
  expect(decay("encoder.layer.3.mlp.fc1.weight")).toBe(1e-4);
  expect(decay("encoder.layer.3.mlp.fc1.bias")).toBe(0);
  expect(decay("encoder.layer.3.norm1.weight")).toBe(0);
  expect(decay("layernorm.weight")).toBe(0);
  expect(decay("embeddings.patch_embeddings.projection.weight")).toBe(0);
});

test("the rates that a log shows are those of the groups of which something trains, named after what they share", () => {
  const groups = paramGroups(nameTable(VARIANTS.nano), settings);
  const trains = new Set(groups.flatMap(({ paths }) => paths).filter((path) => /^heads|blocks\.11\./.test(path)));
  const rates = groupRates(groups, trains);
  expect(rates.map(({ group }) => group)).toEqual(["heads", "backbone.blocks.11", "backbone.blocks.11"]);
  expect(rates.reduce((sum, { leaves }) => sum + leaves, 0)).toBe(trains.size);
  expect(rates[0]).toMatchObject({ lr: 1e-4, weightDecay: 1e-4 });
  expect(rates[1]!.lr).toBeCloseTo(1.5e-4 * 0.8 ** 2 * 0.7 ** 2, 12);
  expect(groupRates(groups, new Set()).length).toBe(0);
  const all = groupRates(groups, new Set(groups.flatMap(({ paths }) => paths)));
  expect(all.length).toBe(groups.length);
  expect(all.map(({ group }) => group)).toEqual(
    expect.arrayContaining(["decoder, heads, projector", "backbone.embeddings", "decoder"]),
  );
});
