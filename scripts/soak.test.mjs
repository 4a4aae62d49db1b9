import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { ensureBuilt } from "./build.mjs";
import { soak } from "./soak.mjs";

test("runs that are killed at random instants and resumed end in the same bytes as one that was left alone", async () => {
  await ensureBuilt();
  const dist = fileURLToPath(new URL("../dist", import.meta.url));
  const result = await soak({
    ...{ runs: 10, seed: 7, mostKills: 2 },
    command: [process.execPath, join(dist, "cli", "main.js")],
    store: await import(pathToFileURL(join(dist, "checkpoint", "store", "store.js")).href),
  });
  expect(result.faults).toEqual([]);
  expect(result.done).toBe(10);
  expect(result.kills).toBeGreaterThan(4);
}, 600_000);
