import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { UserError } from "../util/errors.ts";
import type { RecipeInput } from "./input.ts";
import { formatRecipe, loadRecipe, resolveRecipe, usualWeights, writeRecipe } from "./load.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "recipe-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(text: string, overrides: string[] = [], name = "trees.yaml") {
  const path = join(folder, name);
  await writeFile(path, text);
  return loadRecipe(path, { overrides });
}

/** The message of the UserError that this recipe gives, without the folder. */
async function fault(text: string | Uint8Array, overrides: string[] = []): Promise<string> {
  const path = join(folder, "trees.yaml");
  await writeFile(path, text);
  const error = await loadRecipe(path, { overrides }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message.replaceAll(`${folder}/`, "");
}

const DATA = "data: { dir: d }\n";

describe("a recipe", () => {
  it("needs only its data; the rest has defaults", async () => {
    const recipe = await load(DATA);
    expect(recipe).toMatchObject({ name: "trees", weights: "rf-detr-nano", model: { variant: "nano" } });
    expect(recipe.train.schedule).toEqual({ name: "cosine", warmup_epochs: 1, min_factor: 0.05, lr_drop: 100 });
    expect(recipe.data.augment).toEqual({ horizontal_flip: 0.5, scale_jitter: true });
  });

  it.each([
    ["seg-small", "rf-detr-seg-small"],
    ["mini", "mini-shapes"],
    ["seg-mini", "seg-mini-shapes"],
    ["custom", "none"],
  ] as const)("starts %s from the weights %s where it names none", (variant, weights) => {
    expect(usualWeights(variant)).toBe(weights);
  });

  it("may name the schema that editors read, which is no part of it", async () => {
    expect(await load(`$schema: ./recipe.schema.json\n${DATA}`)).toEqual(await load(DATA));
  });

  it("leaves gradients unclipped where the reference does: at a norm of 0", async () => {
    expect((await load(DATA, ["train.clip_max_norm=0"])).train.clip_max_norm).toBe(0);
    expect(await fault(DATA, ["train.clip_max_norm=-1"])).toContain("train.clip_max_norm is -1");
  });

  it("chooses the best checkpoint by selection.metric, which early stopping follows and may not contradict", async () => {
    expect((await load(DATA)).selection).toEqual({
      ...{ metric: null, skip_best_epochs: 0 },
      thresholds: { by: "best-f1", at: 0.9 },
    });
    const rule = await load(`${DATA}selection: { thresholds: { by: precision, at: 0.8 } }\n`);
    expect(rule.selection.thresholds).toEqual({ by: "precision", at: 0.8 });
    const chosen = await load(`${DATA}selection: { metric: AP50 }\nearly_stopping: { patience: 3 }\n`);
    expect(chosen).toMatchObject({ selection: { metric: "AP50" }, early_stopping: { metric: "AP50", patience: 3 } });
    expect(resolveRecipe(parse(formatRecipe(chosen)))).toEqual(chosen);
    expect(await load(`${DATA}selection: { metric: AP:tree }\n`)).toMatchObject({ early_stopping: "none" });
    expect(await fault(`${DATA}selection: { metric: AP50 }\nearly_stopping: { metric: AP75 }\n`)).toBe(
      "trees.yaml:2:14: selection.metric is AP50, but early_stopping.metric is AP75: one metric does both. Leave one of them out.",
    );
    expect(await fault(`${DATA}selection: { skip_best_epochs: 3 }\ntrain: { epochs: 3 }\n`)).toContain(
      "selection.skip_best_epochs is 3, but train.epochs is 3: no checkpoint could be the best.",
    );
    expect(await fault(`${DATA}selection: { metric: mAP }\n`)).toMatch(/selection.metric is .*mAP.*AP50:95/);
  });

  it("comes back the same after it was resolved and written", async () => {
    const recipe = await load(`${DATA}train: { ema: none, lr: 1e-7 }\nmodel: { variant: small, resolution: 640 }\n`);
    const path = join(folder, "again.yaml");
    await writeRecipe(path, recipe);
    expect(await loadRecipe(path)).toEqual(recipe);
    expect(resolveRecipe(parse(formatRecipe(recipe)))).toEqual(recipe);
  });

  it("reads each value in the form that YAML 1.2 gives it", async () => {
    const recipe = await load(`${DATA}train: { lr: 1.0e-4, max_steps: null }\ncheckpoint: { every_epochs: 2 }\n`);
    expect(recipe.train.lr).toBe(1e-4);
    expect(recipe.checkpoint.every_epochs).toBe(2);
  });
});

describe("an override", () => {
  it("replaces one key and is read as YAML", async () => {
    const recipe = await load(DATA, [
      "train.epochs=3",
      "train.ema=none",
      "model.out_feature_indexes=[1, 2]",
      "data.dir=x=y",
    ]);
    expect(recipe.train).toMatchObject({ epochs: 3, ema: "none", lr: 1e-4 });
    expect(recipe.model.out_feature_indexes).toEqual([1, 2]);
    expect(recipe.data.dir).toBe("x=y");
  });

  it("makes the mappings on its way", async () => {
    const recipe = await load(`${DATA}train: { ema: none }\n`, ["train.ema.decay=0.5", "eval.max_dets=100"]);
    expect(recipe.train.ema).toEqual({ decay: 0.5, tau: 100 });
    expect(recipe.eval.max_dets).toBe(100);
  });

  it("that is wrong is named as it was written", async () => {
    expect(await fault(DATA, ["train.epoch=3"])).toBe(
      "--set train.epoch=3: unknown key train.epoch. Did you mean epochs?",
    );
    expect(await fault(DATA, ["train.epochs=many"])).toBe(
      '--set train.epochs=many: train.epochs is "many", but must be a whole number of at least 1.',
    );
    expect(await fault(DATA, ["train.epochs"])).toContain("expected key=value");
    expect(await fault(DATA, ["a..b=1"])).toContain("expected key=value");
    expect(await fault(DATA, ["__proto__.x=1"])).toContain("expected key=value");
    expect(await fault(DATA, ["train.lr=[1"])).toContain("--set train.lr=[1: not valid YAML");
    expect(await fault(DATA, ["seed.x=1"])).toMatch(/^--set seed.x=1: seed is {"x":1}, but must be a whole number/);
  });
});

describe("a fault", () => {
  it("of a key names its line and what was probably meant", async () => {
    expect(await fault(`${DATA}train:\n  learning_rate: 1\n  epoch: 3\n`)).toMatch(
      /^trees.yaml:3:3: unknown key train.learning_rate\..*\ntrees.yaml:4:3: unknown key train.epoch\. Did you mean epochs\?$/,
    );
    expect(await fault(`${DATA}batch_size: 4\n`)).toBe(
      "trees.yaml:2:1: unknown key batch_size. Did you mean data.batch_size?",
    );
    expect(await fault("data: { dir: d, augment: { flip: 1 } }\n")).toContain(
      "unknown key data.augment.flip. Keys of data.augment: horizontal_flip, scale_jitter.",
    );
  });

  it("of a value names key, value and what is allowed", async () => {
    expect(await fault(`${DATA}model:\n  variant: nanoo\n`)).toBe(
      'trees.yaml:3:3: model.variant is "nanoo", but must be one of nano, small, medium, large, base, large-deprecated, mini, seg-mini, seg-preview, seg-nano, seg-small, seg-medium, seg-large, seg-xlarge, seg-2xlarge, custom.',
    );
    expect(await fault(`${DATA}train: { lr: fast }\n`)).toContain(
      'train.lr is "fast", but must be a number of at least 0.',
    );
    expect(await fault(`${DATA}train: { lr: .nan }\n`)).toContain("train.lr is NaN");
    expect(await fault(`${DATA}train: { ema: 5 }\n`)).toContain(
      "train.ema is 5, but must be a mapping with the keys decay, tau or none.",
    );
    expect(await fault(`${DATA}train: { ema: { decay: 2 } }\n`)).toContain(
      "train.ema.decay is 2, but must be a number of at least 0 and below 1.",
    );
    expect(await fault("data: { dir: d, batch_size: 0 }\n")).toContain("data.batch_size is 0, but must be");
    expect(await fault(`${DATA}train:\n`)).toContain("train is null, but must be a mapping");
    expect(await fault("data: { dir: d, train: 3 }\n")).toContain(
      "a mapping with the keys images, annotations or null",
    );
    expect(await fault(`${DATA}model: { num_classes: three }\n`)).toContain("auto or a whole number of at least 1");
  });

  it("of a name that is no safe folder name is refused", async () => {
    for (const name of ["../x", "a/b", "'.'", "..", "a b", "''", "x.", "/abs", '"a\\0b"', "con\\x"])
      expect(await fault(`name: ${name}\n${DATA}`)).toContain("name");
  });

  it("between keys is found", async () => {
    expect(await fault("seed: 1\n")).toContain("data.dir is missing");
    expect(await fault("data: { dir: d, val: { images: a, annotations: b } }\n")).toContain("both set");
    expect(await fault(`${DATA}model: { variant: custom, resolution: 64 }\n`)).toContain("model.encoder is missing");
  });

  it("is a stage that does not begin after the one before it, or a first one that does not begin with the run", async () => {
    const stages = (...epochs: number[]) =>
      fault(`${DATA}train:\n  stages:\n${epochs.map((n) => `    - { from_epoch: ${n}, train: [all] }\n`).join("")}`);
    expect(await stages(1)).toBe(
      "trees.yaml:4:9: train.stages[0].from_epoch is 1, but must be 0: the first stage begins with the run.",
    );
    expect(await stages(0, 3, 3)).toBe("trees.yaml:6:9: train.stages[2].from_epoch is 3, but must be above 3.");
    expect(await stages(0, 3, 2)).toContain("train.stages[2].from_epoch is 2, but must be above 3.");
  });

  it("is a request for gradient histograms that nothing would show", async () => {
    expect(await fault(`${DATA}track: { tensorboard: false, gradient_histograms: true }\n`)).toContain(
      "track.gradient_histograms is true, but track.tensorboard, which would show them, is false.",
    );
  });
});

describe("a file that is no recipe", () => {
  it("is refused with line and column where its YAML is wrong", async () => {
    expect(await fault("seed: 1\ntrain: { lr: 1\n")).toMatch(/^trees.yaml:\d+:\d+: not valid YAML: /);
    expect(await fault("seed: 1\nseed: 2\n")).toBe("trees.yaml:2:1: not valid YAML: Map keys must be unique");
    expect(await fault("seed: !!js/function 'x'\n")).toContain("not valid YAML: Unresolved tag");
    expect(await fault("a: 1\n---\nb: 2\n")).toContain("not valid YAML");
  });

  it("is refused where it is empty, a list, binary, a folder or not there", async () => {
    expect(await fault("")).toContain("is empty");
    expect(await fault("- 1\n")).toContain("is not a recipe");
    expect(await fault(new Uint8Array([0xff, 0xfe, 0x80]))).toContain("not a text file");
    await expect(loadRecipe("/dev/zero")).rejects.toThrow("is a device");
    await expect(loadRecipe(folder)).rejects.toThrow("it is a folder");
    await expect(loadRecipe(join(folder, "none.yaml"))).rejects.toThrow("There is no recipe");
  });

  it("cannot blow up memory or reach a prototype", async () => {
    const bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 10; i++)
      bomb.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(", ")}]`,
      );
    expect(await fault(bomb.join("\n"))).toContain("alias");
    expect(await fault("a: &a { b: *a }\n")).toMatch(/alias|values/i);
    expect(await fault(`${"[".repeat(5000)}${"]".repeat(5000)}`)).not.toBe("");
    expect(await fault(`__proto__: { polluted: 1 }\n${DATA}`)).toContain("__proto__");
    expect(await fault(`${DATA}train: { constructor: 1, toString: 2 }\n`)).toContain("unknown key train.constructor");
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(await fault("x".repeat(2_000_000))).toContain("that is no recipe");
  });
});

it("every shipped recipe is valid", async () => {
  const recipes = (await readdir("recipes")).filter((name) => name.endsWith(".yaml"));
  for (const name of recipes) expect((await loadRecipe(join("recipes", name))).name).toBe(name.replace(".yaml", ""));
});

it("the best segmenter is the best by its masks, where the recipe does not say otherwise", () => {
  const data = { dir: "x" };
  const choice = (more: Partial<RecipeInput>, variant: "nano" | "seg-nano" = "seg-nano") => {
    const { selection, early_stopping: stopping } = resolveRecipe({ model: { variant }, data, ...more });
    return [selection.metric, stopping === "none" ? stopping : stopping.metric];
  };
  expect(choice({})).toEqual(["segm AP50:95", "none"]);
  expect(choice({}, "nano")).toEqual([null, "none"]);
  expect(choice({ early_stopping: {} })).toEqual(["segm AP50:95", "segm AP50:95"]);
  expect(choice({ early_stopping: { metric: "AP50" } })).toEqual([null, "AP50"]);
  expect(choice({ selection: { metric: "AP50:95" } })).toEqual(["AP50:95", "none"]);
  expect(() => choice({ selection: { metric: "segm AP50" } }, "nano")).toThrow(
    "selection.metric is segm AP50, but the model gives no masks",
  );
});

it("as many detections count as there are queries, where the recipe does not say how many", () => {
  const limit = (input: object) => resolveRecipe({ data: { dir: "d" }, ...input }).eval.max_dets;
  expect(limit({})).toBe(500);
  expect(limit({ model: { num_queries: 900 } })).toBe(900);
  expect(limit({ model: { num_queries: 900, num_select: 700 } })).toBe(700);
  expect(limit({ model: { num_queries: 900 }, eval: { max_dets: 100 } })).toBe(100);
});
