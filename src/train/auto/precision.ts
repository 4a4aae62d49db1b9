// What a run says of the precision that it computes in.

import type { bf16Support } from "../../engine/bf16.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { type Fact, sentence } from "../../util/text/fact.ts";

/** In which precision it computes, where that is not float32 alone. `support`: whether the device has instructions for it. */
export function describePrecision({ train }: Recipe, support: ReturnType<typeof bf16Support>): Fact[] {
  if (train.amp_dtype !== "bf16") return [];
  const value = "bf16: products and convolutions in bfloat16, weights and all else in float32";
  const doubt = {
    native: undefined,
    emulated: "This processor has no instructions for bfloat16, so that steps may be slower than in float32",
    unknown:
      "Whether this device has instructions for bfloat16 is not known; without them steps are slower than in float32",
  }[support];
  return [
    { name: "Precision", value },
    ...(doubt ? [sentence(`${doubt}; train.amp_dtype: auto times both, none is float32`)] : []),
  ];
}
