// The public interface for programs: what the commands call, and nothing that writes to a terminal or ends the process.

export type { BenchmarkOptions } from "./bench/benchmark.ts";
export { benchmark } from "./bench/benchmark.ts";
export type { Benchmark, Comparison, Timing } from "./bench/result.ts";
export type { Dataset, DatasetOptions, DatasetSource } from "./data/dataset.ts";
export { loadDataset } from "./data/dataset.ts";
export type { ScanOptions, ScanReport } from "./data/scan.ts";
export { scanDataset } from "./data/scan.ts";
export type { EvaluateOptions, Measurement } from "./eval/measure.ts";
export { evaluate, evaluateResults } from "./eval/measure.ts";
export type { PredictedObject, Prediction, PredictOptions } from "./eval/predict.ts";
export { predict } from "./eval/predict.ts";
export type { ExportOptions, ExportResult } from "./export/exportOnnx.ts";
export { exportOnnx } from "./export/exportOnnx.ts";
export type { FileRecord } from "./export/record.ts";
export { formatRecipe, loadRecipe, resolveRecipe, writeRecipe } from "./recipe/load.ts";
export type { Recipe, RecipeInput } from "./recipe/schema.ts";
export { recipeJsonSchema } from "./recipe/schema.ts";
export { readMetrics } from "./track/metricsFile.ts";
export type { MetricsRow, RunSize, TrainEvent, TrainRow, ValRow } from "./train/events.ts";
export type { ExtendOptions } from "./train/extend.ts";
export { extend } from "./train/extend.ts";
export type { Rollback } from "./train/rollback.ts";
export { rollback } from "./train/rollback.ts";
export type { NewRunOptions, TrainOptions } from "./train/run.ts";
export { resume, train } from "./train/run.ts";
export { UserError } from "./util/errors.ts";
