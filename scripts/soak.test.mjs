import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { ensureBuilt } from "./build.mjs";
import { soak } from "./soak/ends.mjs";
import { meetings } from "./soak/pairs.mjs";
import { WAYS } from "./soak/ways.mjs";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const program = [process.execPath, join(dist, "cli", "main.js")];
let store;
beforeAll(async () => {
  await ensureBuilt();
  store = await import(pathToFileURL(join(dist, "checkpoint", "store", "store.js")).href);
});

test("runs that are ended in any way at random instants keep what they finished, and end in the same bytes as one left alone", async () => {
  const ways = Object.keys(WAYS).filter((way) => WAYS[way].needs !== "mount"); // which only root may do
  const { faults, counts } = await soak({
    ...{ runs: 40, seed: 7, mostEnds: 8, once: true },
    ...{ ways, program, store },
  });
  expect(faults).toEqual([]);
  for (const [way, { ends }] of Object.entries(counts)) expect({ way, ends }).toEqual({ way, ends: 1 });
}, 900_000);

test("of two commands that start on one run at once, one is refused, and the other does what it does alone", async () => {
  const pairs = [
    ["train", "train"],
    ["resume", "extend"],
    ["resume", "rollback"],
  ];
  const { faults, done } = await meetings({ ...{ times: 1, seed: 7, pairs }, ...{ program, store } });
  expect(faults).toEqual([]);
  expect(done).toBe(pairs.length);
}, 900_000);
