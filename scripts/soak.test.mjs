import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { ensureBuilt } from "./build.mjs";
import { soak } from "./soak/ends.mjs";
import { WAYS } from "./soak/ways.mjs";

test("runs that are ended in any way at random instants and resumed keep what they finished and end in the same bytes as one left alone", async () => {
  await ensureBuilt();
  const dist = fileURLToPath(new URL("../dist", import.meta.url));
  const result = await soak({
    ...{ runs: 40, seed: 7, mostEnds: 4, once: true },
    ways: Object.keys(WAYS).filter((way) => WAYS[way].needs !== "mount"), // which only root may do
    program: [process.execPath, join(dist, "cli", "main.js")],
    store: await import(pathToFileURL(join(dist, "checkpoint", "store", "store.js")).href),
  });
  expect(result.faults).toEqual([]);
  for (const [way, { ends }] of Object.entries(result.counts)) expect({ way, ends }).toEqual({ way, ends: 1 });
}, 600_000);
