// Whether the device has instructions for bfloat16.

import { readFileSync } from "node:fs";

/**
 * "native": it has them; "emulated": it has none, and TensorFlow does without, slowly; "unknown" where that cannot be found out.
 * `processor`: what Linux says of the processor.
 */
export function bf16Support(kind: "cpu" | "gpu", processor = processorFlags()): "native" | "emulated" | "unknown" {
  if (kind === "gpu" || processor === undefined) return "unknown";
  return /\b(amx_bf16|avx512_bf16|bf16)\b/.test(processor) ? "native" : "emulated";
}

/** The line of the first processor; undefined where it is not Linux that tells. */
function processorFlags(): string | undefined {
  try {
    return /^(?:flags|Features)\s*:.*$/m.exec(readFileSync("/proc/cpuinfo", "latin1"))?.[0];
  } catch {
    return undefined;
  }
}
