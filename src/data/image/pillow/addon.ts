// Our own addon for pictures (setup/native/image.c), which the set-up builds: what passes.ts does, many times as fast.

import { createRequire } from "node:module";

type ImageAddon = {
  /**
   * Resize `data`, whose rows have `stride` bytes, by two kernels into `out`, whose rows have `outStride` values: bytes, or with `tables` (256
   * floats a channel) the entries of these. False where it takes more memory than there is for it.
   */
  resize(
    ...args: [
      ...[data: Uint8Array, stride: number, xs: Int32Array, xStep: number, ys: Int32Array, yStep: number],
      ...[out: Uint8Array | Float32Array, outStride: number, tables?: Float32Array, mirror?: number],
    ]
  ): boolean;
  /**
   * Warp RGB `data` of this width into `out`, of the same size: each pixel comes from where `back`, a matrix of 9, takes its middle. `fill` has
   * three bytes. False where it takes more memory than there is for it.
   */
  warp(data: Uint8Array, out: Uint8Array, width: number, back: Float64Array, fill: Uint8Array): boolean;
  /** What `releaseBytes` does. */
  release(data: Uint8Array): void;
};

/** Undefined where the engine is missing, or was set up by other means. It has nothing of libtensorflow, so that threads may load it. */
export function imageAddon(): ImageAddon | undefined {
  if (found === undefined) {
    try {
      const require = createRequire(import.meta.url);
      found = require("@tensorflow/tfjs-node-gpu/lib/napi-v8/rfdetr_image.node") as ImageAddon;
    } catch {
      found = null;
    }
  }
  return found ?? undefined;
}

/**
 * Give back the memory of bytes now that nobody reads any more: they are of no length then. It does so where they are all of their
 * ArrayBuffer. Memory of pictures that waits to be collected makes the collector run many times as often.
 */
export function releaseBytes(data: Uint8Array): void {
  imageAddon()?.release?.(data);
}

let found: ImageAddon | null | undefined;
