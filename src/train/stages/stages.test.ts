import { describe, expect, test } from "vitest";
import { VARIANTS } from "../../architecture/variants.ts";
import { leafShapes, parameterCount } from "../../architecture/weights/table.ts";
import { resolveRecipe } from "../../recipe/load.ts";
import { UserError } from "../../util/errors.ts";
import { factLine } from "../../util/text/fact.ts";
import { describeStage, matcher, stageAt, stagePlan } from "./stages.ts";

const SHAPES = leafShapes(VARIANTS.nano);
const PATHS = [...SHAPES.keys()];
const free = { freezeEncoder: false };

function plan(patterns: string[], options = free) {
  return stagePlan([{ from_epoch: 0, train: patterns, lr_factor: 1 }], SHAPES, options)[0]!;
}

function fault(work: () => unknown): UserError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  }
  throw new Error("nothing was thrown");
}

describe("a pattern", () => {
  test("of one of the four names matches that part; together they are everything, each weight once", () => {
    const parts = ["backbone", "projector", "decoder", "heads"].map((name) => PATHS.filter(matcher(name)));
    expect(parts.every((part) => part.length > 0)).toBe(true);
    expect(parts.flat().sort()).toEqual([...PATHS].sort());
    expect(PATHS.filter(matcher("all"))).toEqual(PATHS);
  });

  test("matches a path and what is under it, by whole segments", () => {
    const one = matcher("backbone.blocks.1");
    expect(one("backbone.blocks.1.norm1.weight")).toBe(true);
    expect(one("backbone.blocks.11.norm1.weight")).toBe(false);
    expect(matcher("heads.class.bias")("heads.class.bias")).toBe(true);
    expect(matcher("heads.class.bias.more")("heads.class.bias")).toBe(false);
    expect(matcher("blocks")("backbone.blocks.1.norm1.weight")).toBe(false);
  });

  test("takes ranges of numbers, both ends included", () => {
    const blocks = new Set(PATHS.filter(matcher("backbone.blocks.8-11")).map((path) => path.split(".")[2]));
    expect([...blocks]).toEqual(["8", "9", "10", "11"]);
    expect(PATHS.filter(matcher("backbone.blocks.3-3"))).toEqual(PATHS.filter(matcher("backbone.blocks.3")));
    expect(PATHS.filter(matcher("backbone.blocks.11-8"))).toEqual([]);
  });

  test("takes globs: * and ? in a segment, ** for any number of segments", () => {
    const norms = PATHS.filter(matcher("decoder.layers.*.norm?"));
    expect(norms.length).toBe(VARIANTS.nano.decLayers * 3 * 2);
    expect(PATHS.filter(matcher("**.bias"))).toEqual(PATHS.filter((path) => path.endsWith(".bias")));
    expect(PATHS.filter(matcher("heads.**.0"))).toEqual(PATHS.filter((path) => /^heads\.(\w+)\.0\./.test(path)));
    expect(PATHS.filter(matcher("*"))).toEqual(PATHS);
    expect(PATHS.filter(matcher("back+"))).toEqual([]);
  });
});

describe("a plan", () => {
  test("without stages is one stage that trains everything", () => {
    const [stage, ...more] = stagePlan(null, SHAPES, free);
    expect(more).toEqual([]);
    expect(stage).toMatchObject({ fromEpoch: 0, lrFactor: 1, trainable: parameterCount(VARIANTS.nano), frozen: 0 });
  });

  test("counts what trains and what is frozen, overlaps once", () => {
    const stage = plan(["heads", "heads.class", "backbone.norm"]);
    expect(stage.matches).toEqual([
      expect.objectContaining({ pattern: "heads" }),
      { pattern: "heads.class", leaves: 2, parameters: 256 * 91 + 91 },
      { pattern: "backbone.norm", leaves: 2, parameters: 2 * 384 },
    ]);
    expect(stage.trainable).toBe(stage.matches[0]!.parameters + 2 * 384);
    expect(stage.trainable + stage.frozen).toBe(parameterCount(VARIANTS.nano));
    expect(factLine(describeStage(stage, [stage]))).toMatch(
      /^Stage 1 of 1 \(from_epoch 0\): heads \(\d+ tensors, .* M\), .*; .* M parameters train, .* M are frozen$/,
    );
  });

  test("says which stage an epoch belongs to", () => {
    const { stages } = resolveRecipe({
      data: { dir: "d" },
      train: {
        stages: [
          { from_epoch: 0, train: ["heads"] },
          { from_epoch: 2, train: ["all"], lr_factor: 0.5 },
        ],
      },
    }).train;
    const two = stagePlan(stages, SHAPES, free);
    expect([0, 1, 2, 9].map((epoch) => stageAt(two, epoch).index)).toEqual([0, 0, 1, 1]);
    expect(two.map(({ lrFactor }) => lrFactor)).toEqual([1, 0.5]);
  });

  test("keeps a frozen encoder frozen in every stage", () => {
    const frozen = { freezeEncoder: true };
    expect([...plan(["all"], frozen).paths].some((path) => path.startsWith("backbone."))).toBe(false);
    expect(stagePlan(null, SHAPES, frozen)[0]!.frozen).toBe(plan(["backbone"]).trainable);
    expect(fault(() => plan(["backbone"], frozen)).message).toContain("model.freeze_encoder");
  });
});

describe("an error", () => {
  test.each([
    ["head", "Did you mean heads?"],
    ["backbone.block.8-11", "Did you mean backbone.blocks.8-11?"],
    ["blocks.8-11", "Did you mean backbone.blocks.8-11?"],
    ["backbone.blocks.11-8", "Did you mean backbone.blocks.8-11?"],
    ["backbone.blocks.12", "backbone.blocks has 0 to 11."],
    ["decoder.layers.0.selfAtention", "Did you mean decoder.layers.0.selfAttention?"],
    ["encoder", "Did you mean backbone?"],
    ["xyzzy", "The tree has decoder, heads, backbone, projector, all."],
    ["projector.xyzzy", "projector has levels."],
  ])("names the pattern %s that matches nothing, and what was meant", (pattern, meant) => {
    const { message } = fault(() => plan(["heads", pattern]));
    expect(message).toBe(`train.stages[0].train: "${pattern}" matches no weights. ${meant}`);
  });
});
