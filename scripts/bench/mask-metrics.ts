// Times the metrics of masks on the files that mask-metrics.py made, and says what they are.
// Usage: npx tsx scripts/bench/mask-metrics.ts FOLDER

import { join } from "node:path";
import { cocoAp } from "../../src/eval/cocoAp.ts";
import { compareMasks } from "../../src/eval/maskAp.ts";
import { readAnnotations, readResults } from "../../src/eval/results.ts";

const folder = process.argv[2];
if (!folder) throw new Error("Name the folder that mask-metrics.py wrote to.");
const began = performance.now();
const truth = await readAnnotations(join(folder, "gt.json"), { masks: true });
const { detections } = await readResults(join(folder, "results.json"), truth);
const read = performance.now();
const { metrics } = cocoAp({ ...truth, detections, compare: compareMasks });
const [reading, segm] = [(read - began) / 1000, (performance.now() - read) / 1000];
console.log(JSON.stringify({ read: reading, segm, AP: metrics["AP50:95"], AP50: metrics.AP50, AR: metrics.AR }));
