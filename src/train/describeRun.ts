// What a run trains, in which order, on which device: facts for people.

import type { Architecture } from "../architecture/variants.ts";
import { crowdFacts } from "../data/dataset/check/crowds.ts";
import { annotatedMask, type Split } from "../data/dataset/sample.ts";
import type { DeviceInfo } from "../engine/device.ts";
import { levelSizes } from "../model/projector.ts";
import type { Recipe } from "../recipe/schema.ts";
import { type Fact, sentence } from "../util/text/fact.ts";
import { describeStage, millions, type Stage } from "./stages/stages.ts";

/** The model, its optimizer, its stages. */
export function describeModel({ model, train, data }: Recipe, { resolution }: Architecture, plan: Stage[]): Fact[] {
  const { trainable, frozen } = plan[0]!;
  const share =
    train.stages !== null
      ? `trained in ${plan.length} stage${plan.length === 1 ? "" : "s"}`
      : frozen === 0
        ? "all of them train"
        : `${millions(trainable)} train, the encoder is frozen`;
  const { grad_accum_steps: accumulated, schedule } = train;
  const images = `${data.batch_size}${accumulated > 1 ? ` x ${accumulated} accumulated` : ""} images an update`;
  const size = `${resolution} x ${resolution}, ${millions(trainable + frozen)} parameters`;
  const rates = `learning rates ${train.lr} and ${train.lr_encoder} (encoder)`;
  return [
    { name: "Model", value: `${model.variant} at ${size}, ${share}` },
    { name: "Optimizer", value: `AdamW, ${images}, ${rates}, ${schedule.name} schedule` },
    ...(train.stages === null ? [] : plan.map((stage) => describeStage(stage, plan))),
  ];
}

/** What becomes of the training objects that have no mask, where a segmenter meets such. */
export function describeMissingMasks({ train }: Recipe, { samples, polygons }: Split): Fact[] {
  const objects = samples.flatMap(({ annotations }) => annotations).filter(({ crowd }) => !crowd);
  const missing = objects.filter((annotation) => annotatedMask(annotation, polygons) === undefined).length;
  if (missing === 0) return [];
  const so = train.missing_masks === "skip" ? "their masks are not trained" : "they are trained to have no pixel";
  const value = `${missing} of ${objects.length} training objects have none: ${so} (train.missing_masks is ${train.missing_masks})`;
  return [{ name: "Masks", value }];
}

/** Warnings where images hold more objects than the model can find, or queries are more than its proposals. */
export function describeQueries(architecture: Architecture, train: Split): Fact[] {
  const { numQueries: queries, resolution } = architecture;
  const cells = levelSizes(architecture, [resolution, resolution]).reduce((sum, [rows, columns]) => sum + rows * columns, 0); // biome-ignore format: one line
  return crowdFacts(train, { queries, cells });
}

/** The device, and a warning where a better one is idle. */
export function describeDevice({ kind, name, tensorflow, kernels, warning }: DeviceInfo): Fact[] {
  const value = `${kind === "gpu" ? "GPU" : "CPU"} (${name}), libtensorflow ${tensorflow}${kernels ? " with kernels of our own" : ""}`;
  return [{ name: "Device", value }, ...(warning ? [sentence(warning)] : [])];
}
