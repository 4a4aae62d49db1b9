// All that training changes, as one thing: weights, their moving average and the optimizer's moments; and the same in host
// memory under the reference's names, as checkpoints hold it.

import * as tf from "@tensorflow/tfjs-core";
import type { Architecture } from "../architecture/variants.ts";
import { nameTable } from "../architecture/weights/table.ts";
import { fromLeaves, toLeaves } from "../checkpoint/names.ts";
import type { RfdetrWeights } from "../model/rfdetr.ts";
import { downloadWeights, uploadWeights } from "../model/weights.ts";
import { fromFloat32, type StateDict, size, toFloat32 } from "../util/hostTensor.ts";
import { flatten, mapTree } from "../util/tree.ts";
import {
  type AdamW,
  adamW,
  disposeAdamW,
  forget,
  type HostMoments,
  readMoments,
  writeMoments,
} from "./optimiser/adamw.ts";
import { disposeEma, type Ema, ema, readAverage, setAverage } from "./optimiser/ema.ts";
import { type ParamGroup, type ParamGroupSettings, paramGroups } from "./optimiser/paramGroups.ts";

/** What a step reads and changes. A leaf of `weights` that is a tf.Variable trains. `ema` is null where none is kept. */
export type Learner = {
  weights: RfdetrWeights;
  architecture: Architecture;
  groups: ParamGroup[];
  optimizer: AdamW;
  ema: Ema | null;
};

export type LearnerSettings = ParamGroupSettings & {
  freezeEncoder: boolean;
  /** Paths of the leaves that train at first; default: all that are not frozen for good. */
  trains?: ReadonlySet<string>;
  /** Keep a moving average. */
  average: boolean;
};

/** The leaves that train, with their paths. */
export function trainable(weights: RfdetrWeights): [string, tf.Variable][] {
  return flatten<tf.Tensor>(weights).filter((leaf): leaf is [string, tf.Variable] => leaf[1] instanceof tf.Variable);
}

/** The leaves that the moving average follows: those that train, and those that have trained. */
export function averagedLeaves({ weights, ema }: Learner): [string, tf.Tensor][] {
  return flatten<tf.Tensor>(weights).filter(([path, leaf]) => leaf instanceof tf.Variable || ema?.averages.has(path));
}

/** The tensors of a checkpoint. `ema` is absent before the first update, and where no average is kept. */
export type LearnerTensors = { model: StateDict; ema?: StateDict; optimizer: StateDict };

/** Put weights (reference names and layout) on the device, ready to train. Throws a UserError where they do not fit. */
export function createLearner(model: StateDict, architecture: Architecture, settings: LearnerSettings): Learner {
  const trains = (path: string) => !(settings.freezeEncoder && path.startsWith("backbone."));
  const table = nameTable(architecture).filter(({ path }) => trains(path));
  return {
    weights: uploadWeights(toLeaves(model, architecture), (path) => settings.trains?.has(path) ?? trains(path)),
    architecture,
    groups: paramGroups(table, settings),
    optimizer: adamW(),
    ema: settings.average ? ema() : null,
  };
}

/**
 * Freeze and unfreeze leaves: those named train from now on, the others do not. No values change or are copied. Moments
 * of weights that stop training are freed, so they are fresh if these come back; those of weights that stay are kept.
 */
export function setTrainable(learner: Learner, paths: ReadonlySet<string>): void {
  const { optimizer, ema } = learner;
  learner.weights = mapTree<RfdetrWeights, tf.Tensor>(learner.weights, (leaf, path) => {
    if (paths.has(path) === leaf instanceof tf.Variable) return leaf;
    if (paths.has(path)) {
      // until now the average was the weight itself, of which there is no copy
      if (ema && ema.updates > 0 && !ema.averages.has(path)) setAverage(ema, path, leaf);
      const variable = tf.variable(leaf);
      leaf.dispose();
      return variable;
    }
    forget(optimizer, path);
    const frozen = tf.keep(leaf.clone());
    leaf.dispose();
    return frozen;
  });
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
    if (!average && !(leaf instanceof tf.Variable)) return leaf;
    const own = average ?? leaf.clone(); // of the same memory
    mine.push(own);
    return own;
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
  for (const [reference, paths] of leavesByReference(architecture)) {
    const steps = paths.map((path) => moments.get(path)?.steps ?? 0);
    if (steps.every((count) => count === 0)) continue;
    // a scalar as torch's; one number a leaf where a tensor's leaves have not trained in the same stages
    const alike = steps.every((count) => count === steps[0]);
    state.set(
      `step.${reference}`,
      fromFloat32(Float32Array.from(alike ? [steps[0]!] : steps), alike ? [] : [steps.length]),
    );
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

/** Bytes of the tensors of `learnerTensors` once all that ever trains has trained. */
export function learnerBytes({ weights, groups, ema }: Learner): number {
  const trains = new Set(groups.flatMap(({ paths }) => paths));
  let [all, moments] = [0, 0];
  for (const [path, { shape }] of flatten<tf.Tensor>(weights)) {
    const bytes = 4 * size(shape);
    all += bytes;
    if (trains.has(path)) moments += 2 * bytes;
  }
  return all + (ema ? all : 0) + moments;
}

/** Paths of the leaves that hold each of the reference's tensors; more than one where it is packed. */
function leavesByReference(architecture: Architecture): Map<string, string[]> {
  const leaves = new Map<string, string[]>();
  for (const { path, reference } of nameTable(architecture))
    leaves.set(reference, [...(leaves.get(reference) ?? []), path]);
  return leaves;
}

/**
 * Put the optimizer and the average back as `learnerTensors` returned them; `emaUpdates` is the average's counter. The
 * learner holds the weights of `tensors`. Weights that do not train now get no moments, as if they had just been frozen.
 */
export function restoreLearner(
  { architecture, weights, optimizer, ema }: Learner,
  tensors: LearnerTensors,
  emaUpdates: number,
): void {
  const table = nameTable(architecture);
  const trains = new Set(trainable(weights).map(([path]) => path));
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
  for (const [reference, paths] of leavesByReference(architecture)) {
    const stored = tensors.optimizer.get(`step.${reference}`);
    if (!stored) continue;
    const counts = toFloat32(stored);
    for (const [i, path] of paths.entries()) {
      const steps = counts[counts.length === 1 ? 0 : i]!;
      if (steps === 0 || !trains.has(path)) continue;
      const { shape, data } = first.get(path)!;
      moments.set(path, { shape, first: data, second: second.get(path)!.data, steps });
    }
  }
  writeMoments(optimizer, moments);
  if (!ema || !tensors.ema) return;
  const averages = toLeaves(tensors.ema, architecture);
  const differs = new Set<string>(); // a weight that has never trained is its own average
  for (const { path, reference } of table) {
    const [weight, average] = [tensors.model.get(reference)!, tensors.ema.get(reference)!];
    if (Buffer.compare(weight.bytes, average.bytes) !== 0) differs.add(path);
  }
  for (const [path, { shape, data }] of averages) {
    if (!trains.has(path) && !differs.has(path)) continue;
    const tensor = tf.tensor(data, shape);
    setAverage(ema, path, tensor);
    tensor.dispose();
  }
  ema.updates = emaUpdates;
}
