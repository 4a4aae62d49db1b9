// Ends runs of a tiny detector in every way there is (see scripts/soak/ways.mjs) at random instants and resumes each until it is done:
// every one must end in the same bytes as a run that was left alone, no checkpoint that is listed may be incomplete, and the last
// finished step must be in one. With --pairs: two commands on one run folder at once.
// Usage: npm run soak [-- RUNS [--ways all|kill|WAY,WAY] [--ends MOST] [--seed N] [--minutes M] [--masks] [--dist DIR]]; --masks: of a segmenter; DIR is a build to use in place of a fresh one.
//        npm run soak -- TIMES --pairs
//        npm run soak -- RUNS --workers N        one worker of N is lost at a random instant

import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt } from "./build.mjs";
import { soak } from "./soak/ends.mjs";
import { meetings } from "./soak/pairs.mjs";
import { root } from "./soak/process.mjs";
import { WAYS } from "./soak/ways.mjs";
import { losses } from "./soak/workers.mjs";

const words = process.argv.slice(2);
const option = (name, value) => (words.includes(name) ? words.splice(words.indexOf(name), 2)[1] : value);
const seed = Number(option("--seed", 1));
const minutes = Number(option("--minutes", Number.POSITIVE_INFINITY));
const mostEnds = Number(option("--ends", 4));
const givenBuild = option("--dist");
const dist = resolve(givenBuild ?? join(root, "dist"));
const named = option("--ways", "all");
const ways = named === "all" ? Object.keys(WAYS) : named === "kill" ? ["sigkill"] : named.split(",");
const pairs = words.includes("--pairs") && words.splice(words.indexOf("--pairs"), 1).length > 0;
const masks = words.includes("--masks") && words.splice(words.indexOf("--masks"), 1).length > 0;
const workers = Number(option("--workers", 0));
const times = Number(words[0] ?? (pairs ? 20 : 200));
for (const way of ways)
  if (!WAYS[way]) throw new Error(`There is no way "${way}". There are: ${Object.keys(WAYS).join(", ")}`);

if (givenBuild === undefined) await ensureBuilt();
const store = await import(pathToFileURL(join(dist, "checkpoint", "store", "store.js")).href);
const program = [process.execPath, join(dist, "cli", "main.js")];
const shared = { seed, minutes, program, store, say: console.log };
const { done, counts, faults } = workers
  ? await losses({ times, workers, ...shared })
  : pairs
    ? await meetings({ times, ...shared })
    : await soak({ runs: times, ways, mostEnds, masks, ...shared });
console.table(counts);
const wanted = pairs ? times * Object.keys(counts).length : times;
console.log(
  `${done} of ${wanted} ${pairs ? "meetings" : "runs"}, seed ${seed}: ` +
    `${faults.length === 0 ? "every one ended in the same bytes" : `${faults.length} faults`}`,
);
process.exitCode = faults.length === 0 && done === wanted ? 0 : 1;
