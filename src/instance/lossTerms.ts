// The terms of the loss as people see them, keyed as rows of metrics.jsonl are; and which terms such rows have.

export type LossTerm = { term: string; title: string; description: string };

const KNOWN: Readonly<Record<string, { title: string; description: string }>> = {
  loss_ce: {
    title: "Classes",
    description: "Cross-entropy of the class scores, with what the boxes overlap as target.",
  },
  loss_bbox: { title: "Boxes, L1", description: "Distance of the matched boxes, in parts of the image." },
  loss_giou: { title: "Boxes, GIoU", description: "1 − generalised IoU of the matched boxes." },
  loss_mask_ce: {
    title: "Masks, cross-entropy",
    description: "Of the matched masks, at points that are mostly where they are least certain.",
  },
  loss_mask_dice: { title: "Masks, dice", description: "1 − overlap of the matched masks, at the same points." },
};

/** The column of a decoder layer or of the encoder: `loss_ce_0`, `loss_ce_enc`. */
const OF_LAYER = /_(\d+|enc)$/;

/**
 * The terms among the columns of training rows, those of the last layer only: known ones first, in their order; then others,
 * under their own names.
 */
export function lossTerms(columns: readonly string[]): LossTerm[] {
  const terms = columns.filter(
    (name) => name.startsWith("loss_") && !(OF_LAYER.test(name) && columns.includes(name.replace(OF_LAYER, ""))),
  );
  const others = terms.filter((term) => !Object.hasOwn(KNOWN, term));
  return [
    ...Object.entries(KNOWN).flatMap(([term, about]) => (terms.includes(term) ? [{ term, ...about }] : [])),
    ...others.map((term) => ({ term, title: term, description: "" })),
  ];
}
