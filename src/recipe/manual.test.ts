import { describe, expect, test } from "vitest";
import { UserError } from "../util/errors.ts";
import { resolveRecipe } from "./load.ts";
import { allKeys, keyEntry } from "./manual.ts";

const hintOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  }
  return expect.unreachable();
};

describe("the manual of a key", () => {
  test("says what it is, takes and defaults to", () => {
    expect(keyEntry("train.lr")).toEqual({
      key: "train.lr",
      takes: "a number from 0",
      default: 1e-4,
      description: "Learning rate of everything but the encoder",
      keys: [],
    });
    expect(keyEntry("data.batch_size").takes).toBe("a whole number from 1, or auto");
    expect(keyEntry("model.variant").takes).toMatch(/^one of nano, small/);
    expect(keyEntry("train.ema").keys.map(({ key }) => key)).toEqual(["train.ema.decay", "train.ema.tau"]);
    expect(keyEntry("train.stages[0].train")).toEqual(keyEntry("train.stages.train"));
  });

  test("is there for every key, in words", () => {
    const keys = allKeys();
    expect(keys.length).toBeGreaterThan(90);
    expect(keys.filter(({ description, takes }) => description === "" || /undefined|object/.test(takes))).toEqual([]);
  });

  test.each([
    ["lr", "train.lr"],
    ["train.epoch", "train.epochs"],
    ["learning_rate", "train.lr"],
    ["optimiser.weight_decay", "train.weight_decay"],
    ["model.imgsz", "model.resolution"],
  ])("for %s, which is none, names %s", (key, meant) => {
    expect(hintOf(() => keyEntry(key)).message).toBe(`A recipe has no key ${key}. Did you mean ${meant}?`);
  });

  test("is pointed to where a recipe is wrong", () => {
    const faulty = (input: object) => hintOf(() => resolveRecipe({ data: { dir: "d" }, ...input }));
    expect(faulty({ train: { lr: "much" } }).hint).toMatch(/What train\.lr is .*--explain train\.lr$/);
    expect(faulty({ train: { rl: 1 } }).hint).toMatch(/--explain train$/);
    expect(faulty({ trian: {} }).hint).toMatch(/--explain all$/);
    expect(faulty({ imgsz: 640 }).message).toMatch(/Did you mean model\.resolution/);
    const stages = [{ from_epoch: 0, train: [] }];
    expect(faulty({ train: { stages } }).hint).toMatch(/--explain train\.stages\.train$/);
  });
});
