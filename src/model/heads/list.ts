// The heads of the network. A new one is its own file and a line here, and its weights a line in architecture/weights/heads.ts.

import { boxHead } from "./boxes.ts";
import { classHead } from "./classes.ts";
import type { HeadInputs } from "./head.ts";
import type { TwoStageHeads } from "./layers.ts";
import type { MaskHead } from "./masks.ts";

export const HEADS = [classHead, boxHead] as const;

/** What every one of these takes as its weights, together. */
type WeightsOf<Each> = [Each] extends [(weights: infer Weights, inputs: HeadInputs) => unknown] ? Weights : never;

/** The weights of all heads in the list, of those that the proposals have of their own, and of a segmenter's mask head. */
export type Heads = WeightsOf<(typeof HEADS)[number]> & TwoStageHeads & { mask?: MaskHead };
