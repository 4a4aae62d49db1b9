// The terms that the loss of a model has.

import type { MaskLossSettings } from "../masks/settings.ts";
import { TERMS } from "./list.ts";
import { maskTerm } from "./masks.ts";
import type { Term } from "./term.ts";

/** The terms of every model, and of a segmenter those of its masks. */
export function termsOf(masks: MaskLossSettings | undefined): readonly Term[] {
  return masks ? [...TERMS, maskTerm(masks)] : TERMS;
}
