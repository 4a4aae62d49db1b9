// What reads the cases: the program's own readers, as the commands call them.

import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { convertWeights } from "../../src/checkpoint/convert.ts";
import { linkedCheckpoint } from "../../src/checkpoint/store/links.ts";
import { loadCheckpoint } from "../../src/checkpoint/store/store.ts";
import { readWeightsFile } from "../../src/checkpoint/weightsFile.ts";
import { weightsAt } from "../../src/checkpoint/weightsFolder.ts";
import { knownTrouble } from "../../src/cli/knownTrouble.ts";
import { scanDataset } from "../../src/data/dataset/check/scan.ts";
import { loadDataset } from "../../src/data/dataset/dataset.ts";
import { decodeFile, imageHeader } from "../../src/data/image/decode.ts";
import { architectureIn } from "../../src/detector/fileArchitecture.ts";
import { openOnnxDetector } from "../../src/detector/onnx.ts";
import { clusterOf } from "../../src/distributed/cluster.ts";
import { adviseRun } from "../../src/doctor/advice/advice.ts";
import { evaluateResults } from "../../src/eval/measure.ts";
import { pairRuns } from "../../src/eval/paired/pairRuns.ts";
import { refuseUnbounded } from "../../src/onnx/endless.ts";
import { readOnnxFacts } from "../../src/onnx/facts.ts";
import { fromMetadata } from "../../src/onnx/metadata.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { comparePage } from "../../src/report/comparePage.ts";
import { compareRuns } from "../../src/report/comparison.ts";
import { writeReport } from "../../src/report/writeReport.ts";
import { correctLabels } from "../../src/review/correct.ts";
import { runFiles } from "../../src/run/files.ts";
import { lockRun } from "../../src/run/lock.ts";
import { openLog } from "../../src/run/log.ts";
import { openMetricsFile } from "../../src/run/records/metricsFile.ts";
import { resultsCsv } from "../../src/run/records/resultsCsv.ts";
import { readRunFolder } from "../../src/run/runFolder.ts";
import { openTensorboard } from "../../src/track/tensorboard/tensorboard.ts";
import { writeWandbFile } from "../../src/track/wandb/file/file.ts";
import { lockHolder, releaseLock, takeLock } from "../../src/track/wandb/folder/lock.ts";
import { readJsonLists } from "../../src/util/untrusted/jsonLists.ts";
import { readRegular } from "../../src/util/untrusted/regular.ts";
import { runReader } from "../../src/watch/runs/runReader.ts";
import { DATA_SETS } from "./seeds.mjs";

/** Read a case as the commands do. Throws what they throw. */
export async function readCase({ kind, path, deep }) {
  const readers = {
    recipe: [() => loadRecipe(path)],
    image: [() => imageHeader(path), () => decodeFile(path), () => decodeFile(path, { exif: "apply" })],
    checkpoint: [() => loadCheckpoint(path)],
    weights: weightsReaders(path),
    coco: [() => readData({ train: splitOf(path), val: splitOf(path) }), () => readInParts(path, "annotations")],
    large: [() => readData({ train: splitOf(path), val: splitOf(path) })],
    ...Object.fromEntries(DATA_SETS.map((one) => [one, [() => readData({ dir: path })]])),
    results: [
      () => evaluateResults({ annotations: join(path, "annotations.json"), predictions: join(path, "results.json") }),
      () => readInParts(path, "results"),
    ],
    decisions: [
      () => correctLabels({ data: { dir: join(path, "set") }, decisions: join(path, "decisions.json"), out: join(path, "out") }), // biome-ignore format: one line
    ],
    workers: [() => readWorkers(path)],
    run: runReaders(path, deep),
    onnx: onnxReaders(path, deep),
    huge: onnxReaders(path, deep),
  };
  await all(readers[kind]);
}

/** All of them, whatever one of them refuses. Throws the first fault, else the first refusal. */
async function all(readers) {
  let refusal;
  for (const read of readers) {
    try {
      await read();
    } catch (error) {
      if (!knownTrouble(error)) throw error;
      refusal ??= error;
    }
  }
  if (refusal) throw refusal;
}

function weightsReaders(path) {
  return [
    async () => architectureIn(await readWeightsFile(path), { path }),
    () => convertWeights(path, join(path, "..", "out.pth"), { force: true }),
  ];
}

const splitOf = (path) => ({ images: path, annotations: join(path, "annotations.json") });

async function readData(source) {
  const dataset = await loadDataset(source, { strict: false });
  await scanDataset(dataset, { queries: 5 });
}

/** A list that is held a few bytes at a time gives what it gives at once, or is refused like it. */
async function readInParts(path, name) {
  const file = join(path, `${name}.json`);
  const keep = { "": (entry) => entry, annotations: (entry) => entry, images: (entry) => entry };
  const of = (window) =>
    readJsonLists(file, { keep, bareNumbers: true, window }).then(
      (value) => ({ value }),
      (error) => ({ error }),
    );
  const [whole, parts] = [await of({}), await of({ bytes: 7 })];
  if (whole.error && !knownTrouble(whole.error)) throw whole.error;
  if (whole.error?.message !== parts.error?.message || !isDeepStrictEqual(whole.value, parts.value))
    throw new Error(`${file} is read otherwise in parts: ${whole.error?.message} and ${parts.error?.message}`);
  if (whole.error) throw whole.error;
}

/** What schedulers say of the workers of a job, as their environment variables have it. */
async function readWorkers(path) {
  const text = (await readRegular(path, { most: 1e6 })).toString("latin1").replaceAll("\0", "");
  if (path.endsWith(".json")) return clusterOf({}, { TF_CONFIG: text });
  const lines = text.split("\n").map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]);
  return clusterOf({ workers: "slurm" }, Object.fromEntries(lines));
}

/** What commands read of a run's folder, and what a run that goes on opens in it. */
function runReaders(path, deep) {
  const files = runFiles(path);
  return [
    async () => {
      const run = await readRunFolder(path);
      resultsCsv(run.rows);
      const uncertainty = await pairRuns(run, run);
      compareRuns(run, run, uncertainty);
      if (deep) await comparePage(run, run, uncertainty);
    },
    () => adviseRun(path),
    () => writeReport(path),
    () => runReader(path).read(),
    () => writeWandbFile({ dir: path, project: "p" }),
    () => weightsAt(path),
    () => linkedCheckpoint(files.checkpoints, "last"),
    () => lockHolder(path),
    async () => {
      await takeLock(path);
      await releaseLock(path);
    },
    async () => (await lockRun(path))(),
    async () => (await openMetricsFile(files.metrics, { throughStep: 15 })).close(),
    async () => {
      const log = openLog(files.log);
      log.info("on it goes");
      log.close();
    },
    async () => {
      const notices = [];
      const tracker = openTensorboard({ dir: path, recipe: {}, step: 15, onNotice: (text) => notices.push(text) });
      await tracker.close("done");
      if (/ at .*:\d+:\d+/.test(notices.join("\n"))) throw new Error(notices.join("\n"));
    },
  ];
}

function onnxReaders(path, deep) {
  return [
    async () => fromMetadata((await readOnnxFacts(path)).metadata, 5),
    () => refuseUnbounded(path),
    async () => {
      if (!deep) return;
      const detector = await openOnnxDetector(path, { threads: 1 });
      try {
        const side = detector.resolution;
        const count = detector.batch ?? 1;
        const images = new Float32Array(count * side * side * 3);
        await detector.detect({ images, originalSizes: Array(count).fill([side, side]) });
      } finally {
        await detector.close();
      }
    },
  ];
}
