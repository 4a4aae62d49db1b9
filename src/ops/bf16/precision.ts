// In which precision matrix products and convolutions are computed: a setting of the code that runs within a call.

/** What matrix products and convolutions are computed in: float32, or bfloat16 with sums in float32. */
export type Precision = "none" | "bf16";

let current: Precision = "none";

/** Run `f`, which is synchronous, with its products in this precision; a gradient is taken in that of its forward pass. */
export function withPrecision<T>(precision: Precision, f: () => T): T {
  const before = current;
  current = precision;
  try {
    return f();
  } finally {
    current = before;
  }
}

export function precisionNow(): Precision {
  return current;
}
