// The public interface for programs: what the commands call, and nothing that writes to a terminal or ends the process.

// The types of TensorFlow.js use the global type of this package without naming it: programs that check libraries need it.
/// <reference types="long" preserve="true" />

export type { BenchmarkOptions } from "./bench/benchmark.ts";
export { benchmark } from "./bench/benchmark.ts";
export type { Benchmark, Comparison, Timing } from "./bench/result.ts";
export type { Conversion } from "./checkpoint/convert.ts";
export { convertWeights } from "./checkpoint/convert.ts";
export type { ConvertDatasetOptions, DatasetConversion } from "./convert/convertDataset.ts";
export { convertDataset } from "./convert/convertDataset.ts";
export type { DivideOptions, Division } from "./convert/lists/divide.ts";
export { divideDataset } from "./convert/lists/divide.ts";
export type { ScanOptions, ScanReport } from "./data/dataset/check/scan.ts";
export { scanDataset } from "./data/dataset/check/scan.ts";
export type { Dataset, DatasetOptions, DatasetSource } from "./data/dataset/dataset.ts";
export { loadDataset } from "./data/dataset/dataset.ts";
export type { Advice } from "./doctor/advice/advice.ts";
export { adviseRun } from "./doctor/advice/advice.ts";
export type { Diagnosis } from "./doctor/diagnose.ts";
export { diagnose } from "./doctor/diagnose.ts";
export type { EvaluateOptions, Measurement } from "./eval/measure.ts";
export { evaluate, evaluateResults } from "./eval/measure.ts";
export type { LoadDetectorOptions, LoadedDetector } from "./eval/predict/loadDetector.ts";
export { loadDetector } from "./eval/predict/loadDetector.ts";
export type { ObjectOptions, PredictedObject } from "./eval/predict/objects.ts";
export type { Picture, RawPicture } from "./eval/predict/picture.ts";
export type { Prediction, PredictOptions } from "./eval/predict/predict.ts";
export { predict } from "./eval/predict/predict.ts";
export type { PredictReport, PredictToFolderOptions } from "./eval/predict/predictToFolder.ts";
export { predictToFolder } from "./eval/predict/predictToFolder.ts";
export type { ExportResult } from "./export/exportOnnx.ts";
export { exportOnnx } from "./export/exportOnnx.ts";
export type { ExportOptions } from "./export/options.ts";
export type { RecipeInput } from "./recipe/input.ts";
export { recipeJsonSchema } from "./recipe/jsonSchema.ts";
export { formatRecipe, loadRecipe, resolveRecipe, writeRecipe } from "./recipe/load.ts";
export type { Recipe } from "./recipe/schema.ts";
export type { MetricsRow, RunSize, TestRow, TrainEvent, TrainRow, ValRow } from "./run/events.ts";
export type { FileRecord } from "./run/records/exported.ts";
export { readMetrics } from "./run/records/metricsFile.ts";
export type { SyncOptions, SyncResult } from "./track/wandb/sync.ts";
export { syncRun } from "./track/wandb/sync.ts";
export type { CheckReport } from "./train/check.ts";
export { checkRecipe } from "./train/check.ts";
export type { TrainOptions } from "./train/ending/follow.ts";
export { reportRun } from "./train/record/report.ts";
export type { NewRunOptions } from "./train/run.ts";
export { resume, train } from "./train/run.ts";
export type { ExtendOptions } from "./train/verbs/extend.ts";
export { extend } from "./train/verbs/extend.ts";
export type { Rollback } from "./train/verbs/rollback.ts";
export { rollback } from "./train/verbs/rollback.ts";
export { UserError } from "./util/errors.ts";
export type { Fact } from "./util/text/fact.ts";
export type { WatchOptions } from "./watch/watch.ts";
export { watch } from "./watch/watch.ts";
