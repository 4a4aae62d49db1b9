// What the curves of a run say: learned by heart, too little, too fast, or not to the end.

import type { EpochLoss, RunNumbers } from "../numbers.ts";
import { percent, type Rule } from "../rule.ts";

/** Fewer points are no curve. */
const LEAST_POINTS = 4;
/** Parts by which a loss has to change to count: evaluations of small sets differ by about so much by chance. */
const CHANGED = 0.03;

type Point = { epoch: number; value: number };

export const overfitting: Rule = ({ epochs }) => {
  const [training, validation] = curves(epochs);
  if (training.length < LEAST_POINTS || validation.length < LEAST_POINTS) return null;
  const least = lowest(validation);
  const last = validation.at(-1)!;
  const then = training.find(({ epoch }) => epoch >= least.epoch)!;
  const now = training.at(-1)!;
  if (last.value < (1 + CHANGED) * least.value || then === undefined || now.value > (1 - CHANGED) * then.value)
    return null;
  return {
    text: `The validation loss rose from ${loss(least.value)} after epoch ${least.epoch + 1} to ${loss(last.value)} after epoch ${last.epoch + 1}, while that of training fell from ${loss(then.value)} to ${loss(now.value)}: it learns its images by heart.`,
    todo: `More images help most; stronger changes to these, too: --set data.augment=aggressive. early_stopping ends such a run by itself.`,
  };
};

export const underfitting: Rule = ({ epochs, recipe }) => {
  const [training, validation] = curves(epochs);
  const [first, last] = [training[0], training.at(-1)];
  const ofVal = validation.at(-1);
  if (training.length < LEAST_POINTS || !first || !last || !ofVal) return null;
  const [fell, gap] = [1 - last.value / first.value, ofVal.value / last.value];
  if (fell > 0.2 || fell < 0 || gap > 1.1) return null;
  const frozen = recipe("model.freeze_encoder") === true;
  return {
    text: `The training loss fell by ${percent(fell)} only in ${training.length} epochs (${loss(first.value)} to ${loss(last.value)}), and that of validation (${loss(ofVal.value)}) is ${gap.toFixed(2)} times it: it has learned too little, not too much.`,
    todo: frozen
      ? "Let the encoder train, too: --set model.freeze_encoder=false."
      : "Train longer, with a higher train.lr, or take a larger model.variant or model.resolution; weak data.augment helps a small model.",
  };
};

export const stillRising: Rule = ({ scores, metric, log, dir, recipe }) => {
  const last = scores.at(-1);
  const before = scores.at(-1 - Math.max(1, Math.floor(scores.length / 4)));
  if (scores.length < LEAST_POINTS || !last || !before || log.status === "running") return null;
  const rise = last.value - before.value;
  if (rise < 0.005 || scores.some(({ value }) => value > last.value)) return null;
  const epochs = recipe("train.epochs");
  const twice = 2 * (typeof epochs === "number" ? epochs : last.epoch + 1);
  return {
    text: `${metric} was best at the very end (${last.value.toFixed(3)}) and had risen by ${rise.toFixed(3)} since epoch ${before.epoch + 1}: it had not come to its end.`,
    todo: `Train it longer: rfdetr-train extend ${dir} --epochs ${twice}.`,
  };
};

export const rateTooHigh: Rule = ({ epochs, log, recipe }) => {
  const [training] = curves(epochs);
  const rate = recipe("train.lr");
  const skipped = log.events.filter(({ message }) => /^step \d+ was skipped/i.test(message)).length;
  const last = training.at(-1);
  const least = training.length > 0 ? lowest(training) : undefined;
  const rose = last !== undefined && least !== undefined && training.length >= LEAST_POINTS && last.value > (1 + 3 * CHANGED) * least.value; // biome-ignore format: one line
  if (typeof rate !== "number" || (skipped === 0 && !rose)) return null;
  const what = rose
    ? `The training loss rose from ${loss(least.value)} in epoch ${least.epoch + 1} to ${loss(last.value)} in epoch ${last.epoch + 1}`
    : `${skipped} step${skipped === 1 ? " was" : "s were"} skipped, whose loss or gradient was not finite`;
  return {
    text: `${what}, at train.lr ${rate}: its steps are too large.`,
    todo: `Halve the rates: --set train.lr=${rate / 2}, and train.lr_encoder likewise; or a longer train.schedule.warmup_epochs.`,
  };
};

/** Of what the reference's users begin with. */
const USUAL_RATE = 1e-4;

export const rateTooLow: Rule = ({ epochs, recipe }) => {
  const [training] = curves(epochs);
  const rate = recipe("train.lr");
  const [first, last] = [training[0], training.at(-1)];
  if (typeof rate !== "number" || !(rate > 0) || rate > USUAL_RATE / 5 || training.length < LEAST_POINTS) return null;
  const fell = 1 - last!.value / first!.value;
  if (fell > 0.1) return null;
  return {
    text: `The training loss changed by ${percent(Math.abs(fell))} in ${training.length} epochs (${loss(first!.value)} to ${loss(last!.value)}), at train.lr ${rate}: the default is ${USUAL_RATE}.`,
    todo: `Take larger steps: --set train.lr=${USUAL_RATE} --set train.lr_encoder=1.5e-4.`,
  };
};

/** Part of a run that its averaged weights may look back over. */
const LOOKS_BACK = 1 / 5;

export const averageLags: Rule = ({ recipe, steps }) => {
  const [decay, tau] = [recipe("train.ema.decay"), recipe("train.ema.tau")];
  if (typeof decay !== "number" || !(decay > 0 && decay < 1) || steps === 0) return null;
  const reached = typeof tau === "number" && tau > 0 ? decay * (1 - Math.exp(-steps / tau)) : decay;
  const horizon = 1 / (1 - reached);
  if (horizon < LOOKS_BACK * steps) return null;
  const better = Math.max(0.5, 1 - 20 / steps);
  return {
    text: `The weights that are evaluated are the average of about the last ${Math.round(horizon)} of its ${steps} steps (train.ema.decay ${decay}): they lag behind what it has learned.`,
    todo: `Average over fewer: --set train.ema.decay=${better.toFixed(2)}, or over none in so short a run: --set train.ema=none.`,
  };
};

function curves(epochs: RunNumbers["epochs"]): [training: Point[], validation: Point[]] {
  const of = (name: keyof Omit<EpochLoss, "epoch">) =>
    epochs.flatMap((one) => (one[name] === null ? [] : [{ epoch: one.epoch, value: one[name] }]));
  return [of("training"), of("validation")];
}

function lowest(points: readonly Point[]): Point {
  return points.reduce((least, one) => (one.value < least.value ? one : least));
}

function loss(value: number): string {
  return value.toPrecision(3);
}
