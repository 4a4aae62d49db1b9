// The weights of the heads: one list of entries a head, in the reference's order. A new head is a file beside this one and
// a line here.

import { BOX_HEAD_LAYERS } from "../facts.ts";
import type { Architecture } from "../variants.ts";
import { type Init, type Line, linearEntries, ZEROS } from "./entry.ts";
import { maskWeights } from "./masks.ts";

/** Weights of a head: those that the proposals of each query group have of their own come before all others. */
export type HeadWeights = {
  twoStage?(architecture: Architecture): Line[];
  own(architecture: Architecture): Line[];
};

/** Initial bias of the class heads: every class starts at a probability of 0.01. */
const PRIOR: Init = { kind: "constant", value: -Math.log(99) };

const groupsOf = ({ groupDetr: of }: Architecture) => Array.from({ length: of }, (_, index) => ({ index, of }));

const classes: HeadWeights = {
  twoStage: (a) =>
    groupsOf(a).flatMap((stack) =>
      linearEntries(
        "heads.twoStageClass",
        `transformer.enc_out_class_embed.${stack.index}`,
        [a.numClasses + 1, a.hiddenDim],
        {
          stack,
          bias: PRIOR,
          copyOf: "class_embed",
        },
      ),
    ),
  own: (a) => linearEntries("heads.class", "class_embed", [a.numClasses + 1, a.hiddenDim], { bias: PRIOR }),
};

function boxHead(path: string, reference: string, dim: number, rest: { stack?: Line["stack"]; copyOf?: string }) {
  return Array.from({ length: BOX_HEAD_LAYERS }, (_, i) => i).flatMap((i) => {
    const last = i === BOX_HEAD_LAYERS - 1;
    return linearEntries(`${path}.${i}`, `${reference}.layers.${i}`, [last ? 4 : dim, dim], {
      ...rest,
      ...(rest.copyOf !== undefined && { copyOf: `${rest.copyOf}.layers.${i}` }),
      ...(last && { weight: ZEROS, bias: ZEROS }),
    });
  });
}

const boxes: HeadWeights = {
  twoStage: (a) =>
    groupsOf(a).flatMap((stack) =>
      boxHead("heads.twoStageBox", `transformer.enc_out_bbox_embed.${stack.index}`, a.hiddenDim, {
        stack,
        copyOf: "bbox_embed",
      }),
    ),
  own: (a) => boxHead("heads.box", "bbox_embed", a.hiddenDim, {}),
};

const masks: HeadWeights = { own: (a) => (a.segmentationHead ? maskWeights(a) : []) };

/** In the order of their own weights; those of the proposals come in the opposite order in the reference. */
export const HEAD_WEIGHTS: readonly HeadWeights[] = [classes, boxes, masks];

export function headWeights(architecture: Architecture): Line[] {
  return [
    ...HEAD_WEIGHTS.toReversed().flatMap((head) => head.twoStage?.(architecture) ?? []),
    ...HEAD_WEIGHTS.flatMap((head) => head.own(architecture)),
  ];
}
