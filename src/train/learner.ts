// All that training changes, as one thing: weights, their moving average and the optimizer's moments; and the same in host
// memory under the reference's names, as checkpoints hold it.

import * as tf from "@tensorflow/tfjs-core";
import { fromLeaves, nameTable, toLeaves } from "../checkpoint/names.ts";
import type { RfdetrWeights } from "../model/rfdetr.ts";
import type { Architecture } from "../model/variants.ts";
import { downloadWeights, uploadWeights } from "../model/weights.ts";
import { fromFloat32, type StateDict, size, toFloat32 } from "../util/hostTensor.ts";
import { flatten, mapTree } from "../util/tree.ts";
import { type AdamW, adamW, disposeAdamW, type HostMoments, readMoments, writeMoments } from "./adamw.ts";
import { disposeEma, type Ema, ema, readAverage, setAverage } from "./ema.ts";
import { type ParamGroup, type ParamGroupSettings, paramGroups } from "./paramGroups.ts";

/** What a step reads and changes. A leaf of `weights` that is a tf.Variable trains. `ema` is null where none is kept. */
export type Learner = {
  weights: RfdetrWeights;
  architecture: Architecture;
  groups: ParamGroup[];
  optimizer: AdamW;
  ema: Ema | null;
};

export type LearnerSettings = Omit<ParamGroupSettings, "outFeatureIndexes"> & {
  freezeEncoder: boolean;
  /** Keep a moving average. */
  average: boolean;
};

/** The tensors of a checkpoint. `ema` is absent before the first update, and where no average is kept. */
export type LearnerTensors = { model: StateDict; ema?: StateDict; optimizer: StateDict };

/** Put weights (reference names and layout) on the device, ready to train. Throws a UserError where they do not fit. */
export function createLearner(model: StateDict, architecture: Architecture, settings: LearnerSettings): Learner {
  const trains = (path: string) => !(settings.freezeEncoder && path.startsWith("backbone."));
  const table = nameTable(architecture).filter(({ path }) => trains(path));
  return {
    weights: uploadWeights(toLeaves(model, architecture), trains),
    architecture,
    groups: paramGroups(table, { ...settings, outFeatureIndexes: architecture.outFeatureIndexes }),
    optimizer: adamW(),
    ema: settings.average ? ema() : null,
  };
}

export function disposeLearner({ weights, optimizer, ema }: Learner): void {
  tf.dispose(flatten<tf.Tensor>(weights).map(([, leaf]) => leaf));
  disposeAdamW(optimizer);
  if (ema) disposeEma(ema);
}

/**
 * The weights that are evaluated and shipped: the average, or the weights themselves where there is none yet. Leaves are
 * plain tensors; `dispose` frees those that are not the learner's own.
 */
export function averagedWeights({ weights, ema }: Learner): { weights: RfdetrWeights; dispose: () => void } {
  const mine: tf.Tensor[] = [];
  const averaged = mapTree<RfdetrWeights, tf.Tensor>(weights, (leaf, path) => {
    const average = ema && readAverage(ema, path);
    if (average) mine.push(average);
    return average ?? leaf;
  });
  return { weights: averaged, dispose: () => tf.dispose(mine) };
}

/** Everything as a checkpoint holds it. Optimizer tensors are named as torch's state: exp_avg, exp_avg_sq and step. */
export async function learnerTensors(learner: Learner): Promise<LearnerTensors> {
  const { weights, architecture, ema, optimizer } = learner;
  const moments = await readMoments(optimizer);
  const zeros = (shape: number[]) => new Float32Array(size(shape));
  const momentLeaves = (which: "first" | "second") =>
    new Map(
      flatten<tf.Tensor>(weights).map(([path, { shape }]) => [
        path,
        { shape, data: moments.get(path)?.[which] ?? zeros(shape) },
      ]),
    );
  const first = fromLeaves(momentLeaves("first"), architecture);
  const second = fromLeaves(momentLeaves("second"), architecture);
  const state: StateDict = new Map();
  for (const { path, reference } of nameTable(architecture)) {
    const steps = moments.get(path)?.steps;
    if (steps === undefined || state.has(`step.${reference}`)) continue;
    state.set(`step.${reference}`, fromFloat32(Float32Array.of(steps), []));
    state.set(`exp_avg.${reference}`, first.get(reference)!);
    state.set(`exp_avg_sq.${reference}`, second.get(reference)!);
  }
  const tensors: LearnerTensors = { model: fromLeaves(await downloadWeights(weights), architecture), optimizer: state };
  if (ema && ema.updates > 0) {
    const averaged = averagedWeights(learner);
    tensors.ema = fromLeaves(await downloadWeights(averaged.weights), architecture);
    averaged.dispose();
  }
  return tensors;
}

/** Put the optimizer and the average back as `learnerTensors` returned them; `emaUpdates` is the average's counter. */
export function restoreLearner(
  { architecture, weights, optimizer, ema }: Learner,
  tensors: Omit<LearnerTensors, "model">,
  emaUpdates: number,
): void {
  const table = nameTable(architecture);
  const complete = (prefix: string): StateDict =>
    new Map(
      table.map(({ reference, shape }) => {
        const stored = tensors.optimizer.get(`${prefix}.${reference}`);
        return [reference, stored ?? fromFloat32(new Float32Array(size(shape)), shape)];
      }),
    );
  const first = toLeaves(complete("exp_avg"), architecture);
  const second = toLeaves(complete("exp_avg_sq"), architecture);
  const moments = new Map<string, HostMoments>();
  for (const { path, reference } of table) {
    const steps = tensors.optimizer.get(`step.${reference}`);
    if (!steps) continue;
    const { shape, data } = first.get(path)!;
    moments.set(path, { shape, first: data, second: second.get(path)!.data, steps: toFloat32(steps)[0]! });
  }
  writeMoments(optimizer, moments);
  if (!ema || !tensors.ema) return;
  const averages = toLeaves(tensors.ema, architecture);
  for (const [path, leaf] of flatten<tf.Tensor>(weights)) {
    if (!(leaf instanceof tf.Variable)) continue;
    const { shape, data } = averages.get(path)!;
    const tensor = tf.tensor(data, shape);
    setAverage(ema, path, tensor);
    tensor.dispose();
  }
  ema.updates = emaUpdates;
}
