// Operations of our own (setup/native/kernels), which the set-up builds: one pass over memory, on all threads, where TensorFlow has
// several. The plain operations are the reference that they are tested against, and what is used on other devices.

import { createRequire } from "node:module";
import { loadBackend } from "./backend.ts";

/** The same as in setup/native/kernels/addon.cc; raised where what operations take or give changes. */
const FORMAT = 5;

let found: "none" | "outdated" | "usable" | undefined;
let plain = 0;

/**
 * Whether our operations can be called now: they are built, the device is a processor that has what they need (AVX2 and FMA), and
 * RFDETR_KERNELS is not "off".
 */
export function hasKernels(): boolean {
  found ??= load();
  return found === "usable" && plain === 0;
}

/** Whether those that are built are another version's, and so are not called. */
export function hasOutdatedKernels(): boolean {
  found ??= load();
  return found === "outdated";
}

/** Run `f` with TensorFlow's own operations only. */
export function withPlainOperations<T>(f: () => T): T {
  plain++;
  try {
    return f();
  } finally {
    plain--;
  }
}

function load(): "none" | "outdated" | "usable" {
  if (loadBackend().isUsingGpuDevice || process.env.RFDETR_KERNELS === "off") return "none";
  try {
    const addon: unknown = createRequire(import.meta.url)("@tensorflow/tfjs-node-gpu/lib/napi-v8/rfdetr_kernels.node");
    const { format, runs } = addon as { format?: number; runs?: boolean };
    if (format !== FORMAT) return "outdated";
    return runs ? "usable" : "none";
  } catch {
    return "none"; // the engine was set up by other means
  }
}
