// The steps of `data.augment` that take other training pictures, too.

import { z } from "zod";
import { factor } from "../fields.ts";
import { range, step } from "./step.ts";

const mosaic = step("mosaic", {
  center_range: range(z.number().min(0.1).max(0.9))
    .default([0.3, 0.7])
    .describe("Where the four pictures meet, as a share of width and height"),
});

const mixup = step("mixup", {
  share_range: range(factor()).default([0.4, 0.6]).describe("How much of its colours the picture keeps"),
});

const copyPaste = step("copy_paste", {
  share: factor()
    .default(0.5)
    .describe("Share of the other picture's objects that are pasted; only those with masks are"),
});

/** Steps that put pictures together. */
export const manySteps = [mosaic, mixup, copyPaste] as const;
