import { describe, expect, it } from "vitest";
import { rngFromSeed } from "../util/random/rng.ts";
import { assign } from "./assignment.ts";

function dense(matrix: number[][]) {
  const columns = matrix[0]?.length ?? 0;
  return { costs: matrix.flat(), offset: 0, rows: matrix.length, columns, rowStride: columns, columnStride: 1 };
}

function pairs(matrix: number[][]): [number, number][] {
  const { rows, columns } = assign(dense(matrix));
  return [...rows].map((row, i) => [row, columns[i]!]);
}

/** Least cost by trying every injection of the smaller side into the larger. */
function bruteForce(matrix: number[][]): number {
  const [n, m] = [matrix.length, matrix[0]!.length];
  if (n > m) return bruteForce(matrix[0]!.map((_, j) => matrix.map((row) => row[j]!)));
  const search = (i: number, used: number): number => {
    if (i === n) return 0;
    let best = Number.POSITIVE_INFINITY;
    for (let j = 0; j < m; j++) {
      if (!(used & (1 << j))) best = Math.min(best, matrix[i]![j]! + search(i + 1, used | (1 << j)));
    }
    return best;
  };
  return search(0, 0);
}

describe("assign", () => {
  it("finds the least total cost of wide, tall and square matrices", () => {
    const rng = rngFromSeed(3);
    for (let round = 0; round < 200; round++) {
      const matrix = Array.from({ length: 1 + rng.int(6) }, () => [] as number[]);
      const columns = 1 + rng.int(6);
      // Few distinct values in half of the rounds, so that ties are met.
      for (const row of matrix) {
        for (let j = 0; j < columns; j++) row.push(round % 2 ? rng.int(4) - 2 : rng.uniform() * 10 - 5);
      }
      const found = pairs(matrix);
      expect(found.length).toBe(Math.min(matrix.length, columns));
      expect(new Set(found.map(([i]) => i)).size).toBe(found.length);
      expect(new Set(found.map(([, j]) => j)).size).toBe(found.length);
      expect(found.reduce((sum, [i, j]) => sum + matrix[i]![j]!, 0)).toBeCloseTo(bruteForce(matrix), 9);
    }
  });

  it("returns the pairs sorted by row", () => {
    const tall = [[9], [9], [1], [9]];
    expect(pairs(tall)).toEqual([[2, 0]]);
    expect(pairs([[4, 1, 3], [2, 0, 5], [3, 2, 2]])).toEqual([[0, 1], [1, 0], [2, 2]]); // biome-ignore format: a matrix
  });

  it("gives the identity for a constant matrix", () => {
    expect(pairs([[7, 7, 7], [7, 7, 7], [7, 7, 7]])).toEqual([[0, 0], [1, 1], [2, 2]]); // biome-ignore format: a matrix
    expect(pairs([[1], [1], [1]])).toEqual([[0, 0]]);
  });

  it("reads a strided window of a larger array", () => {
    const costs = [0, 0, 0, 0, 5, 1, 0, 2, 9, 0];
    expect(assign({ costs, offset: 4, rows: 2, columns: 2, rowStride: 3, columnStride: 1 })).toEqual({
      rows: Int32Array.from([0, 1]),
      columns: Int32Array.from([1, 0]),
    });
  });

  it("has nothing to pair when a side is empty", () => {
    const none = { rows: new Int32Array(0), columns: new Int32Array(0) };
    expect(assign({ costs: [], offset: 0, rows: 0, columns: 3, rowStride: 3, columnStride: 1 })).toEqual(none);
    expect(assign({ costs: [], offset: 0, rows: 3, columns: 0, rowStride: 1, columnStride: 1 })).toEqual(none);
  });
});
