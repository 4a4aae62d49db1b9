// Times the assignment step of the matcher at training size: 13 groups of 300 queries, 3 outputs, 4 images. With
// `--against FILE` also times the npm package linear-sum-assignment (the same algorithm), wherever it is installed.
// Usage: npx tsx scripts/bench/assignment.mjs [--against node_modules/linear-sum-assignment/lib/index.js]

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { assign } from "../../src/loss/assignment.ts";
import { rngFromSeed } from "../../src/util/random/rng.ts";

const { values } = parseArgs({ options: { against: { type: "string" } } });
const other = values.against ? await import(pathToFileURL(resolve(values.against)).href) : undefined;
const [groups, queries, outputs, images] = [13, 300, 3, 4];
const problems = groups * outputs * images;

for (const targets of [10, 20, 50, 100]) {
  const rng = rngFromSeed(targets);
  // Costs like the matcher's: a shared difficulty of each query plus noise, as float32, one row a target.
  const costs = new Float32Array(problems * targets * queries);
  for (let p = 0; p < problems; p++) {
    const shared = Float32Array.from({ length: queries }, () => rng.normal());
    for (let i = 0; i < targets * queries; i++) {
      costs[p * targets * queries + i] = 4 + 0.5 * (shared[i % queries] ?? 0) + rng.normal();
    }
  }
  const own = best(() => {
    let total = 0;
    for (let p = 0; p < problems; p++) {
      const offset = p * targets * queries;
      const view = { costs, offset, rows: queries, columns: targets, rowStride: 1, columnStride: queries };
      const found = assign(view);
      for (const [i, row] of found.rows.entries())
        total += costs[offset + row + (found.columns[i] ?? 0) * queries] ?? 0;
    }
    return total;
  });
  let line = `${problems} problems, ${queries} queries x ${targets} targets: ${own.ms.toFixed(1)} ms`;
  if (other) {
    const matrices = Array.from({ length: problems }, (_, p) =>
      Array.from({ length: targets }, (_, j) => [
        ...costs.subarray((p * targets + j) * queries, (p * targets + j + 1) * queries),
      ]),
    );
    const theirs = best(() => {
      let total = 0;
      for (const matrix of matrices) {
        const { rowAssignments } = other.linearSumAssignment(matrix, { maximaze: false });
        for (const [i, j] of rowAssignments.entries()) if (j >= 0) total += matrix[i]?.[j] ?? 0;
      }
      return total;
    });
    line += `, the other ${theirs.ms.toFixed(1)} ms (total cost ${own.total.toFixed(6)} and ${theirs.total.toFixed(6)})`;
  }
  console.log(line);
}

function best(run) {
  let [ms, total] = [Number.POSITIVE_INFINITY, 0];
  for (let round = 0; round < 7; round++) {
    const start = performance.now();
    total = run();
    ms = Math.min(ms, performance.now() - start);
  }
  return { ms, total };
}
