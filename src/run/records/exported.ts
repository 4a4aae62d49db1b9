// export.json: what was exported into a folder, how it was verified, how fast it is.

import type { MAIN_METRIC, MASK_METRIC } from "../../instance/metrics.ts";
import { runFiles } from "../files.ts";
import { readJsonObject } from "../json.ts";

type Compared = { trainer: number; file: number } | null;

/** The main metric of the trainer and of the file on the same images, a segmenter's two; null where these have no labels. */
type VerifiedAp = Record<typeof MAIN_METRIC, Compared> & Partial<Record<typeof MASK_METRIC, Compared>>;

/** One file. Paths are relative to the record. */
export type FileRecord = {
  file: string;
  /** `plain` runs everywhere; `optimized` uses operations of onnxruntime; fp16 and int8 are smaller and round. */
  kind: string;
  outputs: "raw" | "decoded";
  opset: number;
  batch: number | "dynamic";
  resolution: number;
  bytes: number;
  sha256: string;
  operations: number;
  weights: { source: string; sha256: string };
  /** int8: what the ranges of its activations were measured on; null where they are found as the model runs. */
  calibration?: { on: string; images: number } | null;
  /** fp16, int8: the score from which its detections count, chosen on what it finds itself, and that of its weights. */
  thresholds?: { on: string; images: number; threshold: number; weights: number };
  /** Null where there is no onnxruntime to verify with. */
  verified:
    | (VerifiedAp & {
        on: string;
        images: number;
        /**
         * Largest differences from the trainer's own forward: of boxes in parts of the image, of logits (decoded: scores), of masks'
         * logits (decoded: in parts of the image).
         */
        difference: { boxes: number; logits: number; masks?: number } | null;
        near_ties: number;
        /** Beyond these the file is not written; null where it is not held to them. */
        tolerance: { boxes: number; logits: number; masks?: number; ap: number } | null;
      })
    | null;
  /** One image, forward pass only. */
  latency_ms: { p50: number; p90: number; runs: number; threads: number } | null;
  exported: string;
  environment: { rfdetr_train: string; node: string; onnxruntime: string | null; cpu: string };
};

/** What has been exported into a folder; other programs may have written the file, so only whole entries are taken. */
export async function readExported(folder: string): Promise<FileRecord[]> {
  const record = await readJsonObject<{ files?: unknown }>(runFiles(folder).exported);
  const isRecord = (one: unknown): one is FileRecord => {
    const { file, bytes, kind, verified } = (one ?? {}) as Partial<FileRecord>;
    const isVerified = verified === null || (typeof verified?.images === "number" && typeof verified.on === "string");
    const isKind = kind === undefined || typeof kind === "string"; // older records have none
    return typeof file === "string" && typeof bytes === "number" && isKind && isVerified;
  };
  return Array.isArray(record?.files) ? record.files.filter(isRecord) : [];
}
