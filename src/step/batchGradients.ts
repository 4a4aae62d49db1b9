// A batch's way through forward, match and backward. What runs on the device is recorded, and replayed in the same form: the network
// by the shape of the images, the loss by the number of pairs.

import * as tf from "@tensorflow/tfjs-core";
import type { Recorder } from "../engine/recording/recorder.ts";
import type { Batch } from "../loading/batch/batch.ts";
import type { StackedOutputs } from "../loss/outputs.ts";
import { type MaskMatchOptions, matchTargets } from "../loss/pairs.ts";
import { termsOf } from "../loss/terms/chosen.ts";
import type { Recording } from "../ops/differentiable.ts";
import { backward, type Gradients, type LossInputs, lossGradients } from "./backward.ts";
import { type ForwardInputs, forward, type NetworkOptions } from "./forward.ts";
import type { Learner } from "./learner.ts";

/** `masks`: of a segmenter. */
export type BatchOptions = NetworkOptions & { recorder: Recorder; masks?: MaskMatchOptions | undefined };

/** All that a batch's stages take from the host before them. */
export type BatchInputs = ForwardInputs & { scalars: LossInputs };

/** Gradients and the loss's table (`lossGradients`); both are the caller's, as the inputs stay. */
export async function batchGradients(
  learner: Learner,
  { targets }: Batch,
  { scalars, ...inputs }: BatchInputs,
  { recorder, checkpointing, precision, masks }: BatchOptions,
): Promise<{ gradients: Gradients; table: tf.Tensor }> {
  const network = recorder.chain("network", { parts: 2, key: `${checkpointing ?? "none"} ${precision ?? "none"}` });
  let recording: Recording<StackedOutputs> | undefined; // none where the chain is replayed
  const outputs = await network.part({ weights: learner.weights, ...inputs }, () => {
    recording = forward(learner, inputs, { checkpointing, precision });
    return recording.result;
  });
  const held: tf.TensorContainer[] = [outputs.logits, outputs.boxes, outputs.heads, outputs.masks];
  let table: tf.Tensor | undefined;
  try {
    const matched = matchTargets(outputs, targets, { groups: learner.architecture.groupDetr, masks });
    held.push(matched);
    const terms = termsOf(masks?.settings);
    const loss = recorder.chain("loss");
    const found = await loss.part({ outputs, matched, ...scalars }, () =>
      lossGradients(outputs, matched, scalars, terms),
    );
    const { seeds } = found;
    table = found.table;
    held.push(seeds as tf.Tensor[]);
    const gradients = await network.part({ seeds }, () => backward(learner, recording!, seeds));
    return { gradients: new Map(Object.entries(gradients)), table };
  } catch (error) {
    recording?.discard(); // of what was recorded, nothing stays on the device
    network.discard();
    table?.dispose();
    throw error;
  } finally {
    tf.dispose(held);
  }
}
