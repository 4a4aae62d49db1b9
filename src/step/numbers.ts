// The numbers of a step, read from the device once, and what among them is not finite.

import * as tf from "@tensorflow/tfjs-core";
import type { Recorder } from "../engine/recording/recorder.ts";
import { lossPlaces } from "../loss/criterion.ts";
import type { Term } from "../loss/terms/term.ts";
import { globalNorm } from "./optimiser/adamw.ts";
import type { StepSums } from "./reduce.ts";

/** `problem` is null, or says what was not finite in which images. */
export type StepNumbers = {
  /** Weighted sum of the terms, and the terms by their reference names: the mean (or the whole batch's) of all batches. */
  loss: number;
  terms: Record<string, number>;
  /** Norm of the gradient before clipping. */
  gradNorm: number;
  problem: string | null;
};

type NumbersOptions = {
  files: readonly (readonly string[])[];
  layers: number;
  whole: boolean;
  recorder: Recorder;
  terms: readonly Term[];
};

/**
 * Read norm, losses and terms. `files`: the images of each batch, which the tables are of, in this order. `whole`: losses of the batches add up to those of the
 * step; otherwise they are averaged, as errors are in either case.
 */
export async function readNumbers(
  { gradients, tables }: StepSums,
  { files, layers, whole, recorder, terms }: NumbersOptions,
): Promise<StepNumbers> {
  const list = [...gradients.values()];
  const numbers = await recorder.settle(
    () =>
      recorder
        .chain("numbers")
        .part({ list, tables }, () => tf.tidy(() => tf.concat([tf.reshape(globalNorm(list), [1]), ...tables]))),
    (unused) => unused.dispose(),
  );
  const values = await numbers.data();
  numbers.dispose();
  const width = (values.length - 1) / files.length;
  const places = lossPlaces(layers, terms);
  const faults: string[] = [];
  const sums = new Float64Array(width);
  for (const [i, names] of files.entries()) {
    const row = values.subarray(1 + i * width, 1 + (i + 1) * width);
    for (const [j, value] of row.entries()) sums[j]! += value;
    const bad = places.filter(([, place]) => !Number.isFinite(row[place])).map(([name]) => name);
    if (bad.length > 0) faults.push(`${bad.join(", ")} of ${names.join(", ")}`);
  }
  const gradNorm = values[0]!;
  if (faults.length === 0 && !Number.isFinite(gradNorm)) faults.push(`the gradient of ${files.flat().join(", ")}`);
  const named = places.map(([name, place]) => {
    const addsUp = whole && name.startsWith("loss");
    return [name, addsUp ? sums[place]! : sums[place]! / files.length] as const;
  });
  const { loss, ...found } = Object.fromEntries(named) as Record<string, number> & { loss: number };
  return {
    loss,
    terms: found,
    gradNorm,
    problem: faults.length > 0 ? `not a finite number: ${faults.join("; ")}` : null,
  };
}
