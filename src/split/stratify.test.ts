import { describe, expect, test } from "vitest";
import { rngFromSeed } from "../util/random/rng.ts";
import { stratify, type Unit } from "./stratify.ts";

const share = (units: readonly Unit[], sides: readonly number[], thing: string, side: number) => {
  const sum = (some: readonly Unit[]) => some.reduce((total, unit) => total + (unit.get(thing) ?? 0), 0);
  return sum(units.filter((_, i) => sides[i] === side)) / sum(units);
};

describe("a split by class", () => {
  test("gives each side its share of every class, the rare ones too, and of the images", () => {
    const rng = rngFromSeed(3);
    const units = Array.from({ length: 800 }, (_, i): Unit => {
      const images = 1 + rng.int(5);
      const classes = Array.from(
        { length: 12 },
        (_, c) => [`class ${c}`, rng.int(c === 0 ? 400 : 3 * (c + 1)) % 9] as const,
      );
      const held = classes.filter(([, count]) => count > 0);
      return new Map([["images", images], ...held, ...(i % 50 === 0 ? [["rare", 1] as const] : [])]);
    });
    const shares = [0.7, 0.2, 0.1];
    const sides = stratify(units, { shares, rng: rngFromSeed(1) });
    for (const thing of ["images", "rare", ...Array.from({ length: 12 }, (_, c) => `class ${c}`)])
      for (const [side, wanted] of shares.entries())
        expect(Math.abs(share(units, sides, thing, side) - wanted), thing).toBeLessThan(thing === "rare" ? 0.07 : 0.01);
  });

  test("is the same for a seed, and another for another one", () => {
    const units = Array.from({ length: 60 }, (): Unit => new Map([["images", 1]]));
    const sides = (seed: number) => stratify(units, { shares: [0.8, 0.2], rng: rngFromSeed(seed) }).join("");
    expect(sides(1)).toBe(sides(1));
    expect(sides(1)).not.toBe(sides(2));
    expect(sides(1).match(/1/g)).toHaveLength(12);
  });

  test("leaves no side empty, where one unit outweighs its share", () => {
    const units: Unit[] = [new Map([["images", 90]]), new Map([["images", 5]]), new Map([["images", 5]])];
    expect(stratify(units, { shares: [0.99, 0.01], rng: rngFromSeed(0) }).sort()).toEqual([0, 0, 1]);
    expect(stratify(units.slice(0, 2), { shares: [0.8, 0.2], rng: rngFromSeed(0) })).toEqual([0, 1]);
  });
});
