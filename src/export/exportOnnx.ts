// Weights become ONNX files that have been run on real images and compared with the trainer's own forward.

import { cpus } from "node:os";
import { basename, dirname } from "node:path";
import { toFields, withFields } from "../architecture/fields.ts";
import { type HostModel, readModel } from "../detector/loadModel.ts";
import { recordedThreshold } from "../eval/predict/threshold.ts";
import { MAIN_METRIC, MASK_METRIC } from "../instance/metrics.ts";
import type { OperatingPoint } from "../instance/operating/point.ts";
import { isOnnx } from "../onnx/format.ts";
import { toMetadata } from "../onnx/metadata.ts";
import { onnxruntimeVersion } from "../onnx/session.ts";
import { programVersion } from "../run/environment.ts";
import type { FileRecord } from "../run/records/exported.ts";
import { UserError } from "../util/errors.ts";
import { sha256File } from "../util/files.ts";
import type { Encoded } from "../util/protobuf.ts";
import { calibrate } from "./calibrate.ts";
import { type Draft, writeDraft } from "./file.ts";
import { labelRange } from "./graph/decode.ts";
import { buildGraph } from "./graph/rfdetr.ts";
import { latencies } from "./latency.ts";
import type { ExportOptions } from "./options.ts";
import { type ExportPictures, findPictures, findTrainingPictures } from "./pictures.ts";
import { type Planned, plannedFiles } from "./plan.ts";
import type { Ranges } from "./quantise.ts";
import { recordExport } from "./record.ts";
import { canChoose, ownPoint } from "./verify/ownPoint.ts";
import { TOLERANCE } from "./verify/verify.ts";
import { place, type Trainer, verifyFile } from "./verify/verifyFile.ts";

export type ExportResult = {
  files: FileRecord[];
  /** Where it is written down. */
  record: string;
  warnings: string[];
  seconds: number;
};

/**
 * Export weights. Throws a UserError where they cannot be read, the file cannot be written, or it does not find what the
 * trainer finds; then nothing is left behind.
 */
export async function exportOnnx(options: ExportOptions): Promise<ExportResult> {
  const began = performance.now();
  check(options);
  const { weights, out, data, split = "val", onProgress } = options;
  const read = await readModel(weights, options);
  const model = options.resolution === undefined ? read : withResolution(read, options.resolution);
  const sha256 = await sha256File(model.path);
  const warnings: string[] = [];
  const onnxruntime = onnxruntimeVersion() ?? null;
  if (onnxruntime === null) warnings.push("onnxruntime-node is not installed, so the file has not been verified.");
  const onWarning = (text: string) => warnings.push(text);
  const pictures = options.pictures ?? (onnxruntime === null ? undefined : await findPictures(weights, { data, split, onWarning })); // biome-ignore format: one line
  const trainer = onnxruntime === null ? undefined : place(model);
  const files: Written[] = [];
  try {
    const calibrated = onnxruntime === null ? undefined : await calibration(model, options);
    const job: Job = {
      threshold: await recordedThreshold(model.path),
      options,
      model,
      sha256,
      onnxruntime,
      trainer,
      pictures,
      calibrated,
      warnings,
    };
    for (const planned of plannedFiles(options, calibrated?.ranges)) files.push(await write(planned, job));
    for (const file of files) {
      await verifyWritten(file, job);
      if (!file.planned.exact) await giveOwnPoint(file, job);
    }
    if (onnxruntime !== null) {
      onProgress?.("measuring", 0, 1);
      const { batch, outputs, resolution: side } = files[0]!.record;
      const size = { side, batch: batch === "dynamic" ? 1 : batch, decoded: outputs === "decoded" };
      const measured = await latencies(files.map(({ draft }) => draft.path), { ...size, runs: files.length > 1 ? 15 : 5 }); // biome-ignore format: one line
      for (const [i, latency] of measured.entries()) files[i]!.record.latency_ms = latency;
    }
    for (const { draft } of files) await draft.publish();
  } finally {
    trainer?.dispose();
    for (const { draft } of files) await draft.discard();
  }
  const records = files.map(({ record }) => record);
  const record = await recordExport(dirname(out), records);
  return { files: records, record, warnings, seconds: (performance.now() - began) / 1000 };
}

/** What is the same for all files of an export. `trainer` and `pictures` are there where there is an onnxruntime. */
type Job = {
  threshold: number | undefined;
  options: ExportOptions;
  model: HostModel;
  sha256: string;
  onnxruntime: string | null;
  trainer: Trainer | undefined;
  pictures: ExportPictures | undefined;
  calibrated: Calibrated | undefined;
  warnings: string[];
};

type Calibrated = { ranges: Ranges; on: string; images: number };

/** For int8: the ranges of activations on training images, where there are any. */
async function calibration(model: HostModel, options: ExportOptions): Promise<Calibrated | undefined> {
  if (options.precision !== "int8") return undefined;
  const pictures = await findTrainingPictures(options.weights, options.data);
  return pictures && { on: pictures.source, ...(await calibrate(model, pictures, options)) };
}

/** `encode`: the file again, with another operating point in its metadata. */
type Written = {
  planned: Planned;
  draft: Draft;
  record: FileRecord;
  encode(operatingPoint: OperatingPoint | undefined): Encoded;
};

async function write(
  planned: Planned,
  { options, model, sha256, onnxruntime, calibrated, threshold }: Job,
): Promise<Written> {
  const { opset = 18, batch = "dynamic", decode = false, signal, onProgress } = options;
  const { path, kind, settings } = planned;
  const file = basename(path);
  signal?.throwIfAborted();
  onProgress?.(`writing ${file}`, 0, 1);
  const common = { opset, batch, ...(decode && { decode: labelRange(model.classes) }) };
  const graph = buildGraph(model.leaves, model.architecture, { ...common, ...settings });
  const encode: Written["encode"] = (operatingPoint) =>
    graph.encode(describe({ ...model, operatingPoint }, { sha256, kind, decode, threshold }));
  const draft = await writeDraft(path, encode(model.operatingPoint));
  const record: FileRecord = {
    ...{ file, kind, opset, batch },
    outputs: decode ? "decoded" : "raw",
    resolution: model.architecture.resolution,
    bytes: draft.bytes,
    sha256: await sha256File(draft.path),
    operations: graph.size,
    weights: { source: model.source, sha256 },
    ...(kind === "int8" && { calibration: calibrated ? { on: calibrated.on, images: calibrated.images } : null }),
    verified: null,
    latency_ms: null,
    exported: new Date().toISOString(),
    environment: environment(onnxruntime),
  };
  return { planned, draft, record, encode };
}

/** A file that rounds has thresholds of its own, where its weights say some and there are images to choose by. */
async function giveOwnPoint(
  written: Written,
  { options, model: { operatingPoint: point }, pictures, warnings }: Job,
): Promise<void> {
  const { planned, draft, record, encode } = written;
  if (!point || !pictures) return;
  const name = record.file;
  const { signal, onProgress } = options;
  const own = canChoose(pictures)
    ? await ownPoint(draft.path, point, { pictures, name, signal, onProgress })
    : undefined;
  if (!own) {
    const why = canChoose(pictures) ? "it finds nothing there" : "there are no labels of them";
    warnings.push(`${name} has the thresholds of its weights: none of its own could be chosen on validation images, as ${why}.`); // biome-ignore format: one line
    return;
  }
  written.draft = await writeDraft(planned.path, encode(own));
  record.bytes = written.draft.bytes;
  record.sha256 = await sha256File(written.draft.path);
  const [threshold, ofWeights] = [own.threshold, point.threshold];
  record.thresholds = { on: pictures.source, images: own.images, threshold, weights: ofWeights };
}

async function verifyWritten(
  { planned: { exact }, draft, record }: Written,
  { options, model, trainer, pictures, warnings }: Job,
): Promise<void> {
  if (!trainer || !pictures) return;
  const found = await verifyFile(trainer, draft.path, { ...options, pictures, exact, name: record.file });
  for (const [metric, ap] of [
    [MAIN_METRIC, found.ap],
    [MASK_METRIC, found.maskAp],
  ] as const) {
    const loss = ap ? ap.trainer - ap.file : 0;
    if (exact || !(loss > MOST_LOSS)) continue;
    warnings.push(`${record.file} loses ${loss.toFixed(3)} ${metric} on ${found.images} images of ${pictures.source}.`);
  }
  if (exact && found.slots === null) {
    const why = trainer.exact
      ? `proposals score too nearly alike in all ${found.images} images`
      : "the trainer's forward ran on a GPU, which rounds";
    warnings.push(`${record.file} was not compared box by box${found.ap ? ", only its AP was" : ""}: ${why}.`);
  }
  record.verified = {
    on: pictures.source,
    images: found.images,
    difference: found.slots,
    near_ties: found.nearTies,
    [MAIN_METRIC]: found.ap,
    ...(found.maskAp !== undefined && { [MASK_METRIC]: found.maskAp }),
    tolerance: exact ? toleranceOf(model) : null,
  };
}

/** A file that rounds is worth a warning if it loses more of a main metric than this. */
const MOST_LOSS = 0.01;

/** Without masks where the model makes none. */
function toleranceOf({ architecture }: HostModel): NonNullable<NonNullable<FileRecord["verified"]>["tolerance"]> {
  const { masks, ...rest } = TOLERANCE;
  return { ...rest, ...(architecture.segmentationHead && { masks }) };
}

function check({ weights, out, batch, images }: ExportOptions): void {
  if (isOnnx(weights)) {
    throw new UserError(`${weights} is an ONNX file already.`, {
      hint: "Give what it was exported from: a run, a checkpoint, a weights file or a published name.",
    });
  }
  if (!isOnnx(out)) throw new UserError(`${out} does not end in .onnx.`, { hint: "Give a name such as model.onnx." });
  for (const [name, value] of Object.entries({ batch, images }))
    if (typeof value === "number" && !(Number.isInteger(value) && value >= 1))
      throw new UserError(`${name} is ${value}; it must be a whole number from 1.`);
}

/** The same weights for another side; the position embeddings are resized in the file, their table stays. */
function withResolution(model: HostModel, resolution: number): HostModel {
  const { positionalEncodingSize } = model.architecture;
  const fields = { resolution, positional_encoding_size: positionalEncodingSize };
  return { ...model, architecture: withFields(model.architecture, fields, "export") };
}

type About = { sha256: string; kind: string; decode: boolean; threshold: number | undefined };

function describe(model: HostModel, { sha256, kind, decode, threshold }: About) {
  const { metadata, architecture, classes, source } = model;
  const { run, data_classes: dataClasses } = metadata.extra ?? {};
  const version = programVersion();
  return {
    name: typeof run === "string" ? run : "rfdetr",
    version,
    metadata: toMetadata({
      ...{ classes, version, weights: { source, sha256 }, epoch: metadata.epoch, threshold },
      resolution: architecture.resolution,
      numSelect: architecture.numSelect,
      precision: kind === "fp16" || kind === "int8" ? kind : "fp32",
      outputs: decode ? "decoded" : "raw",
      masks: architecture.segmentationHead,
      architecture: toFields(architecture),
      run: typeof run === "string" ? run : undefined,
      slices: model.slices,
      dataClasses: typeof dataClasses === "string" ? dataClasses : undefined,
      operatingPoint: model.operatingPoint,
    }),
  };
}

function environment(onnxruntime: string | null): FileRecord["environment"] {
  const cpu = cpus()[0]?.model.trim() ?? "unknown";
  return { rfdetr_train: programVersion(), node: process.versions.node, onnxruntime, cpu };
}
