// export.json: what was exported into a folder, how it was verified, how fast it is.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../util/files.ts";
import type { Latency } from "./latency.ts";
import type { Tolerance } from "./verify.ts";

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
  /** Null where there is no onnxruntime to verify with. */
  verified: {
    on: string;
    images: number;
    /** Largest differences from the trainer's own forward: of boxes in parts of the image, of logits (decoded: scores). */
    difference: { boxes: number; logits: number } | null;
    near_ties: number;
    "AP50:95": { trainer: number; file: number } | null;
    /** Beyond these the file is not written; null where it is not held to them. */
    tolerance: Tolerance | null;
  } | null;
  /** One image, forward pass only. */
  latency_ms: Latency | null;
  exported: string;
  environment: { rfdetr_train: string; node: string; onnxruntime: string | null; cpu: string };
};

/** Add files to the record of their folder; an entry of the same file is replaced, one of a file that is gone is dropped. */
export async function recordExport(folder: string, files: readonly FileRecord[]): Promise<string> {
  const path = join(folder, "export.json");
  const names = new Set(files.map(({ file }) => file));
  const kept = (await readRecord(folder)).filter(({ file }) => !names.has(file) && existsSync(join(folder, file)));
  await writeFileAtomic(path, `${JSON.stringify({ files: [...kept, ...files] }, null, 2)}\n`);
  return path;
}

/** What has been exported into a folder. */
export async function readRecord(folder: string): Promise<FileRecord[]> {
  try {
    const { files } = JSON.parse(await readFile(join(folder, "export.json"), "utf8")) as { files?: unknown };
    const isRecord = (one: unknown): one is FileRecord =>
      typeof (one as FileRecord | null)?.file === "string" && typeof (one as FileRecord).weights?.sha256 === "string";
    return Array.isArray(files) ? files.filter(isRecord) : [];
  } catch {
    return []; // there is none, or it is another program's: it is made anew
  }
}
