// The loss of detections in one call, for tests, and what the reference computed in some cases.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { readSafetensors } from "../../src/checkpoint/safetensors.ts";
import type { Target } from "../../src/instance/instance.ts";
import { countBoxes, criterion, normaliser, termPlaces } from "../../src/loss/criterion.ts";
import { stack } from "../../src/loss/outputs.ts";
import { type MaskMatchOptions, matchTargets } from "../../src/loss/pairs.ts";
import { termsOf } from "../../src/loss/terms/chosen.ts";
import type { Detections } from "../../src/model/rfdetr.ts";

const FOLDER = join(import.meta.dirname, "../fixtures/loss");

/** Cases that scripts/fixtures/make-loss-fixtures.py made. */
export const lossFixtures = () => readdirSync(FOLDER).map((file) => file.replace(".safetensors", ""));

/** What the reference was given in a case, and what it computed. */
export const readLossFixture = (name: string) => readSafetensors(join(FOLDER, `${name}.safetensors`));

/** Matched, then all terms by their names, each a scalar. */
export function lossOf(
  detections: Detections,
  targets: Target[],
  {
    groups,
    masks,
    boxCount = normaliser(countBoxes(targets), groups),
  }: { groups: number; masks?: MaskMatchOptions | undefined; boxCount?: number },
): { loss: tf.Scalar; terms: Record<string, tf.Scalar> } {
  return tf.tidy(() => {
    const outputs = stack(detections);
    const matched = matchTargets(outputs, targets, { groups, masks });
    const terms = termsOf(masks?.settings);
    const { loss, table } = criterion(outputs, matched, { divisor: tf.scalar(boxCount), terms });
    const numbers = tf.unstack(tf.reshape(table, [-1])) as tf.Scalar[];
    const places = [...termPlaces(detections.layers.length, terms)];
    return { loss, terms: Object.fromEntries(places.map(([name, place]) => [name, numbers[place]!])) };
  });
}
