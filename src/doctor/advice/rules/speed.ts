// What a run's steps wait for, and the memory that they hold.

import { median } from "../numbers.ts";
import { percent, type Rule } from "../rule.ts";

/** Fewer steps say little of their speed: the first ones are recorded, and files come from a cold disk. */
const LEAST_STEPS = 20;
/** Share of a step. */
const [MUCH, LITTLE] = [0.2, 0.05];
/** Share of the machine's memory. */
const NEARLY_FULL = 0.8;

export const loaderBound: Rule = ({ waits, recipe, environment }) => {
  const wait = median(waits);
  if (waits.length < LEAST_STEPS || wait < MUCH) return null;
  const workers = recipe("data.workers");
  const cores = environment?.cpu?.cores;
  const more = typeof workers === "number" && typeof cores === "number" && cores > workers;
  return {
    text: `Steps wait for images ${percent(wait)} of their time (median of ${waits.length} recorded steps): preparing images limits this run.`,
    todo: more
      ? `Give it more threads: data.workers is ${workers} of the machine's ${cores} cores, so --set data.workers=${Math.min(cores, 2 * workers)}.`
      : "Make the files smaller (a picture is resized to model.resolution anyhow), or leave out costly steps of data.augment: rfdetr-train check --transforms times each.",
  };
};

export const stepBound: Rule = ({ waits, recipe, log }) => {
  const wait = median(waits);
  const cost = log.costs.at(-1);
  if (waits.length < LEAST_STEPS || !(wait < LITTLE) || !cost) return null;
  const changes = [
    ...(recipe("train.amp_dtype") === "none" ? ["train.amp_dtype=auto"] : []),
    ...(recipe("train.compile") === "off" ? ["train.compile=graph"] : []),
    ...(recipe("train.gradient_checkpointing") === "none" || recipe("train.gradient_checkpointing") === undefined
      ? []
      : ["train.gradient_checkpointing=none"]),
  ];
  if (changes.length === 0) return null;
  return {
    text: `Steps wait for images ${percent(wait)} of their time (median of ${waits.length} recorded steps): the network limits this run, ${cost.seconds.toPrecision(2)} s a step (median of ${cost.steps}).`,
    todo: `Try it quicker: ${changes.map((change) => `--set ${change}`).join(" ")}.`,
  };
};

export const memory: Rule = ({ log, environment, recipe }) => {
  const peak = Math.max(0, ...log.costs.map(({ peakBytes }) => peakBytes));
  const all = environment?.memory_bytes;
  if (peak === 0 || typeof all !== "number" || !(all > 0) || peak < NEARLY_FULL * all) return null;
  const checkpointed = recipe("train.gradient_checkpointing") === "all";
  return {
    text: `Its steps held up to ${gigabytes(peak)} of the machine's ${gigabytes(all)} (${percent(peak / all)}): a little more, and it ends.`,
    todo: checkpointed
      ? "Halve data.batch_size and double train.grad_accum_steps: an update sees as many images, in less memory."
      : "Compute activations again instead of keeping them: --set train.gradient_checkpointing=all.",
  };
};

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toPrecision(3)} GB`;
}
