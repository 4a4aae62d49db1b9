// The training loss of RF-DETR: a weighted sum of terms over every output layer and its matched pairs.
// Same values and names as the reference's models/criterion.py with its weights (lwdetr.py).

import * as tf from "@tensorflow/tfjs-core";
import type { Target } from "../instance/instance.ts";
import type { StackedOutputs } from "./outputs.ts";
import type { Matched } from "./pairs.ts";
import { TERMS } from "./terms/list.ts";
import type { Term } from "./terms/term.ts";

/** What the losses of so many boxes are divided by: boxes times groups, at least 1. */
export function normaliser(boxes: number, groups: number): number {
  return Math.max(1, groups * boxes);
}

/** The boxes of some images. */
export function countBoxes(targets: readonly Target[]): number {
  return targets.reduce((sum, { labels }) => sum + labels.length, 0);
}

/**
 * The loss, and the table [outputs, columns] of all losses, then all measures; differentiable with respect to the outputs.
 * Losses are sums divided by `divisor`: the boxes of a batch times groups (`normaliser`); parts of a batch that are
 * accumulated pass the whole batch's.
 */
export function criterion(
  outputs: StackedOutputs,
  matched: Matched,
  { divisor, terms = TERMS }: { divisor: tf.Scalar; terms?: readonly Term[] },
): { loss: tf.Scalar; table: tf.Tensor2D } {
  return tf.tidy(() => {
    const parts = terms.map((term) => term.of(outputs, matched, divisor));
    const columns = [...parts.flatMap(({ losses }) => losses), ...parts.flatMap(({ measures }) => measures ?? [])];
    const weights = columnsOf(terms).map(({ weight }) => weight);
    const table = tf.stack(columns, 1) as tf.Tensor2D;
    return { loss: tf.sum(tf.mul(table, tf.tensor2d([weights]))) as tf.Scalar, table };
  });
}

type Column = { name: string; weight: number; of: "each" | "last" };

/** The columns of the table: the losses of all terms, then what they measure. */
function columnsOf(terms: readonly Term[]): Column[] {
  return [
    ...terms.flatMap(({ losses }) =>
      Object.entries(losses).map(([name, weight]) => ({ name, weight, of: "each" as const })),
    ),
    ...terms.flatMap(({ measures = {} }) => Object.entries(measures).map(([name, of]) => ({ name, weight: 0, of }))),
  ];
}

/** The loss and, behind it, the table's numbers row by row, as one list: `lossPlaces` names them. */
export function lossNumbers({ loss, table }: { loss: tf.Scalar; table: tf.Tensor2D }): tf.Tensor1D {
  return tf.tidy(() => tf.concat([tf.reshape(loss, [1]), tf.reshape(table, [-1])]) as tf.Tensor1D);
}

/** Names and places of what `lossNumbers` lists. */
export function lossPlaces(layers: number, terms: readonly Term[] = TERMS): [name: string, place: number][] {
  return [["loss", 0], ...[...termPlaces(layers, terms)].map(([name, place]): [string, number] => [name, 1 + place])];
}

/**
 * Names of the table's numbers, with their places in it row by row: those of the last layer, then those of the earlier
 * layers with the suffixes _0, _1, ... and of the encoder with _enc; term by term.
 */
export function termPlaces(layers: number, terms: readonly Term[] = TERMS): Map<string, number> {
  const columns = columnsOf(terms);
  const places = new Map<string, number>();
  const order = [layers - 1, ...Array.from({ length: layers - 1 }, (_, i) => i), layers];
  for (const output of order) {
    const suffix = output === layers - 1 ? "" : output === layers ? "_enc" : `_${output}`;
    for (const { losses, measures = {} } of terms) {
      for (const name of [...Object.keys(losses), ...Object.keys(measures)]) {
        const column = columns.findIndex((one) => one.name === name);
        if (columns[column]!.of === "last" && suffix !== "") continue;
        places.set(name + suffix, output * columns.length + column);
      }
    }
  }
  return places;
}
