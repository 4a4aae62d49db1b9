// Weights become ONNX files that have been run on real images and compared with the trainer's own forward.

import { cpus } from "node:os";
import { basename, dirname } from "node:path";
import { createLoader } from "../data/loader.ts";
import type { SplitName } from "../data/sample.ts";
import { isBackendLoaded } from "../engine/backend.ts";
import { selectDevice } from "../engine/device.ts";
import { categoryOfLabel } from "../eval/evaluate.ts";
import { type HostModel, type LoadModelOptions, type Model, placeModel, readModel } from "../eval/loadModel.ts";
import { toFields, withFields } from "../model/architecture.ts";
import { isOnnx, openDetector } from "../onnx/detector.ts";
import { toMetadata } from "../onnx/metadata.ts";
import { onnxruntimeVersion } from "../onnx/session.ts";
import { programVersion } from "../track/environment.ts";
import { UserError } from "../util/errors.ts";
import { sha256File } from "../util/files.ts";
import { labelRange } from "./decode.ts";
import { type Draft, writeDraft } from "./file.ts";
import { latencies } from "./latency.ts";
import { findPictures, type Pictures, spread } from "./pictures.ts";
import { type FileRecord, recordExport } from "./record.ts";
import { buildGraph, type GraphSettings } from "./rfdetr.ts";
import { fault, TOLERANCE, type Verification, verify } from "./verify.ts";

export type ExportOptions = LoadModelOptions & {
  /** A run folder, a checkpoint folder, a .safetensors or .pth file, or a published name. */
  weights: string;
  /** The plain file, .onnx; others get a word before the extension. */
  out: string;
  /** 18 by default, which onnxruntime-web supports best; 17 for older runtimes. */
  opset?: 17 | 18 | undefined;
  /** Images a run: any number of them by default. */
  batch?: number | "dynamic" | undefined;
  /** Side of the input in pixels, where it shall be another than the model's own. */
  resolution?: number | undefined;
  /** Scores, labels and boxes in pixels instead of logits and normalised boxes. */
  decode?: boolean | undefined;
  /** Data set and split to verify on; by default those of the run that the weights lie in. */
  data?: string | undefined;
  split?: SplitName | undefined;
  /** The images to verify on, instead of finding them. */
  pictures?: Pictures | undefined;
  /** How many of them. Default 32. */
  images?: number | undefined;
  /** Ends the export between two images; its reason is thrown. */
  signal?: AbortSignal | undefined;
  onProgress?: ((what: string, done: number, all: number) => unknown) | undefined;
};

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
  const { weights, out, opset = 18, batch = "dynamic", split = "val", images = 32, decode = false } = options;
  check(options);
  const warnings: string[] = [];
  const read = await readModel(weights, options);
  const model = options.resolution === undefined ? read : withResolution(read, options.resolution);
  const sha256 = await sha256File(model.path);
  const onnxruntime = onnxruntimeVersion() ?? null;
  const kinds = plannedFiles(options);
  const drafts: { draft: Draft; record: FileRecord }[] = [];
  try {
    const [trainer, pictures] =
      onnxruntime === null
        ? [undefined, undefined]
        : [place(model), options.pictures ?? (await findPictures(weights, { data: options.data, split, onWarning: (text) => warnings.push(text) }))]; // biome-ignore format: one line
    if (onnxruntime === null) warnings.push("onnxruntime-node is not installed, so the file has not been verified.");
    try {
      for (const { path, kind, settings, exact } of kinds) {
        options.signal?.throwIfAborted();
        options.onProgress?.(`writing ${basename(path)}`, 0, 1);
        const common = { opset, batch, ...(decode && { decode: labelRange(model.classes) }) };
        const graph = buildGraph(model.leaves, model.architecture, { ...common, ...settings });
        const about = describe(model, { sha256, kind, decode });
        const draft = await writeDraft(path, graph.encode(about));
        const record: FileRecord = {
          file: basename(path),
          kind,
          outputs: decode ? "decoded" : "raw",
          ...{ opset, batch, resolution: model.architecture.resolution, bytes: draft.bytes, operations: graph.size },
          sha256: await sha256File(draft.path),
          weights: { source: model.source, sha256 },
          verified: null,
          latency_ms: null,
          exported: new Date().toISOString(),
          environment: environment(onnxruntime),
        };
        drafts.push({ draft, record });
        if (!trainer || !pictures) continue;
        const verified = await verifyFile(trainer, draft.path, {
          ...options,
          pictures,
          images,
          exact,
          name: record.file,
        });
        record.verified = {
          on: pictures.source,
          images: verified.images,
          difference: verified.slots,
          near_ties: verified.nearTies,
          "AP50:95": verified.ap,
          tolerance: exact ? TOLERANCE : null,
        };
      }
    } finally {
      trainer?.dispose();
    }
    if (onnxruntime !== null) {
      const size = { side: model.architecture.resolution, batch: batch === "dynamic" ? 1 : batch, decoded: decode };
      options.onProgress?.("measuring", 0, 1);
      const measured = await latencies(drafts.map(({ draft }) => draft.path), { ...size, runs: drafts.length > 1 ? 15 : 5 }); // biome-ignore format: one line
      for (const [i, latency] of measured.entries()) drafts[i]!.record.latency_ms = latency;
    }
    for (const { draft } of drafts) await draft.publish();
  } finally {
    for (const { draft } of drafts) await draft.discard();
  }
  const files = drafts.map(({ record }) => record);
  const record = await recordExport(dirname(out), files);
  return { files, record, warnings, seconds: (performance.now() - began) / 1000 };
}

type Planned = { path: string; kind: string; settings: Pick<GraphSettings, "fused" | "floats">; exact: boolean };

/** The plain file comes first, whatever else is asked for: it is what one goes back to. */
function plannedFiles({ out }: ExportOptions): Planned[] {
  return [{ path: out, kind: "plain", settings: { fused: false, floats: "float32" }, exact: true }];
}

function check({ out, batch, images }: ExportOptions): void {
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

/** On the processor, unless this process computes elsewhere already. */
function place(model: HostModel): Model & { exact: boolean } {
  const { kind } = selectDevice(isBackendLoaded() ? "auto" : "cpu");
  return { ...placeModel(model), exact: kind === "cpu" };
}

function describe(model: HostModel, { sha256, kind, decode }: { sha256: string; kind: string; decode: boolean }) {
  const { metadata, architecture, classes, source } = model;
  const run = metadata.extra?.run;
  const version = programVersion();
  return {
    name: typeof run === "string" ? run : "rfdetr",
    version,
    metadata: toMetadata({
      ...{ classes, version, weights: { source, sha256 }, epoch: metadata.epoch },
      resolution: architecture.resolution,
      numSelect: architecture.numSelect,
      precision: kind === "fp16" || kind === "int8" ? kind : "fp32",
      outputs: decode ? "decoded" : "raw",
      architecture: toFields(architecture),
      run: typeof run === "string" ? run : undefined,
    }),
  };
}

function environment(onnxruntime: string | null): FileRecord["environment"] {
  const cpu = cpus()[0]?.model.trim() ?? "unknown";
  return { rfdetr_train: programVersion(), node: process.versions.node, onnxruntime, cpu };
}

/** What AP may differ by where the trainer's forward runs on a GPU. */
const GPU_AP = 0.01;

/** Throws a UserError where an exact file is beyond the tolerance. */
async function verifyFile(
  trainer: Model & { exact: boolean },
  path: string,
  {
    pictures,
    images,
    exact,
    name,
    signal,
    onProgress,
  }: Pick<ExportOptions, "signal" | "onProgress"> & {
    pictures: Pictures;
    images: number;
    exact: boolean;
    name: string;
  },
): Promise<Verification> {
  const detector = await openDetector(path);
  const split = spread(pictures.split, images);
  const { resolution } = trainer.architecture;
  const loader = createLoader({ split, resolution, batchSize: 1, workers: 1, seed: 0, augment: null, training: false });
  try {
    const { classes } = pictures;
    // A GPU multiplies with fewer digits, so that proposals come in another order there: only AP can be compared then.
    const slots = exact && trainer.exact;
    const verified = await verify(trainer, detector, {
      batches: loader.epoch(0),
      slots,
      ...(classes && {
        labels: {
          samples: split.samples,
          classes,
          categoryOf: categoryOfLabel(trainer.classes, classes, trainer.source),
        },
      }),
      onImages: (done) => {
        signal?.throwIfAborted();
        onProgress?.(`verifying ${name}`, done, split.samples.length);
      },
    });
    const wrong = exact ? fault(verified, trainer.exact ? TOLERANCE.ap : GPU_AP) : undefined;
    if (wrong !== undefined) {
      throw new UserError(`The ONNX file does not agree with its weights: ${wrong}. It was not written.`, {
        hint: "Weights with numbers that are not finite or very large do this; otherwise please report it.",
      });
    }
    return verified;
  } finally {
    await loader.close();
    await detector.close();
  }
}
