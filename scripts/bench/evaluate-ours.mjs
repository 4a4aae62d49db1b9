// Times evaluations of a split, as users have them, for evaluate.mjs: a line on standard input asks for one, from the image files to the metrics; the answer is
// one line of JSON. `weights PATH` first writes weights from scratch to a .pth file.

import { createInterface } from "node:readline";
import { memory } from "@tensorflow/tfjs-core";
import { toFields } from "../../dist/architecture/fields.js";
import { VARIANTS } from "../../dist/architecture/variants.js";
import { referenceKeys } from "../../dist/architecture/weights/table.js";
import { writeWeightsFile } from "../../dist/checkpoint/weightsFile.js";
import { loadDataset } from "../../dist/data/dataset/dataset.js";
import { openDetector } from "../../dist/detector/open.js";
import { evaluateModel } from "../../dist/eval/evaluate.js";
import { evaluationLoader } from "../../dist/loading/batch/evaluationLoader.js";
import { initialise } from "../../dist/model/init.js";

const [dir, weights, batch, workers, mode] = process.argv.slice(2);
const { splits, classes } = await loadDataset({ dir }, { require: ["val"] });
const { samples } = splits.val;

/** RF-DETR nano from scratch for the classes of the data set. */
async function writeWeights() {
  const architecture = { ...VARIANTS.nano, numClasses: classes.length };
  const tensors = initialise(referenceKeys(architecture), 0, architecture);
  const names = {
    classNames: classes.map(({ name }) => name),
    categoryIds: classes.map(({ categoryId }) => categoryId),
  };
  await writeWeightsFile(weights, tensors, { modelConfig: toFields(architecture), ...names });
}

if (mode === "weights") await writeWeights();
else {
  const batches = mode === "eager" ? 1 : samples.length;
  const detector = await openDetector(weights, {
    device: "cpu",
    batches,
    precision: mode === "bf16" ? "bf16" : "none",
  });
  const loader = evaluationLoader(splits.val, {
    resolution: detector.resolution,
    batchSize: Number(batch),
    workers: Number(workers),
  });
  for await (const _ of createInterface({ input: process.stdin })) {
    const [used, started] = [process.cpuUsage(), performance.now()];
    const { metrics, images } = await evaluateModel({
      detect: detector.detect,
      batches: loader.epoch(0),
      samples,
      classes,
    });
    const milliseconds = performance.now() - started;
    const { user, system } = process.cpuUsage(used);
    const peak = process.resourceUsage().maxRSS * 1024;
    const held = { tensors: memory().numTensors, resident: process.memoryUsage.rss() };
    console.log(JSON.stringify({ images, milliseconds, processor: (user + system) / 1000, peak, metrics, ...held }));
  }
  await loader.close();
  await detector.close();
}
