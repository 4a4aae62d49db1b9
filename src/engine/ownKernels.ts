// Operations of our own (setup/native/kernels), which the set-up builds: one pass over memory, on all threads, where TensorFlow has
// several. The plain operations are the reference that they are tested against, and what is used on other devices.

import { createRequire } from "node:module";
import { loadBackend } from "./backend.ts";

let found: "none" | "float32" | "bf16" | undefined;
let plain = 0;

/** Whether our operations can be called now: they are built, the device is the processor, and RFDETR_KERNELS is not "off". */
export function hasKernels(): boolean {
  found ??= load();
  return found !== "none" && plain === 0;
}

/** Whether those that take bfloat16 can be called, too. */
export function hasBf16Kernels(): boolean {
  return hasKernels() && found === "bf16";
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

function load(): "none" | "float32" | "bf16" {
  if (loadBackend().isUsingGpuDevice || process.env.RFDETR_KERNELS === "off") return "none";
  try {
    const addon: unknown = createRequire(import.meta.url)("@tensorflow/tfjs-node-gpu/lib/napi-v8/rfdetr_kernels.node");
    return (addon as { bf16?: boolean }).bf16 ? "bf16" : "float32";
  } catch {
    return "none"; // the engine was set up by other means
  }
}
