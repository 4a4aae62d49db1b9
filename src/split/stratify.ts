// Which side of a split each unit of images falls on, so that every class has its share on each side. Greedy from the rarest class
// on, as iterative stratification (Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data", 2011), then improved
// by moving single units and by changing two for each other.

import type { Rng } from "../util/random/rng.ts";

/** What stays together: how much it holds of each thing that is to be shared out, such as images, and boxes of a class. */
export type Unit = ReadonlyMap<string, number>;

/** Rounds through all units in which one may change sides. */
const ROUNDS = 20;

/** Units with which one may change places, in each of the rounds of that. */
const PARTNERS = 40;
const CHANGES = 4;

/**
 * The side of each unit, by its place in `shares`, which add up to 1. Each side has at least one unit where there are as many
 * units as sides.
 */
export function stratify(units: readonly Unit[], { shares, rng }: { shares: readonly number[]; rng: Rng }): number[] {
  const order = rng.shuffle(units.map((_, i) => i));
  const scales = balance(units, shares);
  const sides: number[] = new Array(units.length).fill(-1);
  const put = (unit: number, side: number) => {
    if (sides[unit]! >= 0) scales.add(sides[unit]!, units[unit]!, -1);
    scales.add(side, units[unit]!, 1);
    sides[unit] = side;
  };
  for (const thing of scales.fromRarest) {
    const holders = order.filter((unit) => sides[unit]! < 0 && units[unit]!.has(thing));
    holders.sort((a, b) => units[b]!.get(thing)! - units[a]!.get(thing)!);
    for (const unit of holders) put(unit, scales.neediest(thing));
  }
  for (const unit of order) if (sides[unit]! < 0) put(unit, 0); // one that holds nothing
  for (let round = 0, moved = true; moved && round < ROUNDS; round++) {
    moved = false;
    for (const unit of order) {
      const better = scales.betterSide(units[unit]!, sides[unit]!);
      if (better === sides[unit]) continue;
      put(unit, better);
      moved = true;
    }
  }
  for (let round = 0; round < CHANGES && shares.length > 1; round++)
    for (const one of order)
      for (let i = 0; i < PARTNERS; i++) {
        const other = rng.int(units.length);
        const [a, b] = [sides[one]!, sides[other]!];
        if (a === b || scales.swap(units[one]!, units[other]!, a, b) > -1e-12) continue;
        put(one, b);
        put(other, a);
      }
  for (const [side] of shares.entries()) if (!sides.includes(side)) fill(side, sides, units, put);
  return sides;
}

/** A side that got nothing takes the smallest unit of the side that has the most of them. */
function fill(
  side: number,
  sides: readonly number[],
  units: readonly Unit[],
  put: (unit: number, side: number) => void,
): void {
  const counts = new Map<number, number>();
  for (const one of sides) counts.set(one, (counts.get(one) ?? 0) + 1);
  const [giver, most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), [-1, 0]);
  if (most < 2) return;
  const size = (unit: number) => [...units[unit]!.values()].reduce((a, b) => a + b, 0);
  const of = sides.flatMap((one, unit) => (one === giver ? [unit] : []));
  put(
    of.reduce((a, b) => (size(b) < size(a) ? b : a)),
    side,
  );
}

/** What each side holds, and how far that is from its share of everything. */
function balance(units: readonly Unit[], shares: readonly number[]) {
  const totals = new Map<string, number>();
  for (const unit of units) for (const [thing, count] of unit) totals.set(thing, (totals.get(thing) ?? 0) + count);
  const held = shares.map(() => new Map<string, number>());
  const lack = (side: number, thing: string) => shares[side]! * totals.get(thing)! - (held[side]!.get(thing) ?? 0);
  /** By how much the squared differences of shares change where a side has so much more of something. */
  const cost = (side: number, thing: string, more: number) => {
    const total = totals.get(thing)!;
    const [before, after] = [lack(side, thing) / total, (lack(side, thing) - more) / total];
    return after * after - before * before;
  };
  const change = (unit: Unit, from: number, to: number) => {
    let sum = 0;
    for (const [thing, count] of unit) sum += cost(from, thing, -count) + cost(to, thing, count);
    return sum;
  };
  return {
    fromRarest: [...totals].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1)).map(([thing]) => thing),
    add(side: number, unit: Unit, times: number) {
      for (const [thing, count] of unit) held[side]!.set(thing, (held[side]!.get(thing) ?? 0) + times * count);
    },
    neediest: (thing: string) =>
      shares.reduce((best, _, side) => (lack(side, thing) > lack(best, thing) + 1e-9 ? side : best), 0),
    /** By how much the differences change where a unit of side `a` and one of side `b` change places. */
    swap(one: Unit, other: Unit, a: number, b: number) {
      let sum = 0;
      for (const thing of one.keys()) {
        const more = (other.get(thing) ?? 0) - one.get(thing)!;
        sum += cost(a, thing, more) + cost(b, thing, -more);
      }
      for (const [thing, more] of other) if (!one.has(thing)) sum += cost(a, thing, more) + cost(b, thing, -more);
      return sum;
    },
    betterSide(unit: Unit, from: number) {
      let best = from;
      let least = -1e-12;
      for (let to = 0; to < shares.length; to++) {
        const by = to === from ? 0 : change(unit, from, to);
        if (by < least) [best, least] = [to, by];
      }
      return best;
    },
  };
}
