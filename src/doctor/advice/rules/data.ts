// What a run's images allow: how many there are, of which classes and sizes, and whether a test split is like them.

import { classMetrics, measuredSummary } from "../../../instance/metrics.ts";
import { describeConfirmation } from "../../../instance/operating/confirm.ts";
import { median } from "../numbers.ts";
import { percent, type Rule } from "../rule.ts";

const FEW_IMAGES = 200;
/** Width of an interval of precision or recall that says little. */
const WIDE = 0.2;
/** Boxes of the most common class for each of a rare one. */
const RARE = 10;
/** Pixels of the network in which an object can hardly be told. */
const SMALL = 10;

export const fewImages: Rule = ({ trainImages, scores, metric, dir }) => {
  const best = scores.reduce<number | null>((most, { value }) => Math.max(most ?? value, value), null);
  if (trainImages === null || best === null || trainImages >= FEW_IMAGES) return null;
  return {
    text: `It trains on ${trainImages} images, and came to ${metric} ${best.toFixed(3)}: a few hundred are usual.`,
    todo: `Label more, the most uncertain first: rfdetr-train predict --weights ${dir} --images PHOTOS --labels coco lists them in uncertain.csv.`,
  };
};

export const fewValidationImages: Rule = ({ evaluation }) => {
  const point = evaluation?.operatingPoint;
  const widest = (["precision", "recall"] as const)
    .flatMap((name) => (point?.[name] ? [{ name, ...point[name] }] : []))
    .sort((a, b) => b.high - b.low - (a.high - a.low))[0];
  if (!evaluation || !widest || widest.high - widest.low < WIDE) return null;
  const boxes = evaluation.perClass.reduce((sum, { annotations }) => sum + annotations, 0);
  return {
    text: `It is measured on ${evaluation.images} images with ${boxes} objects: of ${widest.name} they promise ${widest.low.toFixed(2)} to ${widest.high.toFixed(2)} only, and AP is as uncertain.`,
    todo: "Hold more back: rfdetr-train data split --data DIR --val 0.2 --out NEW divides the data again.",
  };
};

export const imbalance: Rule = ({ evaluation, recipe }) => {
  const classes = (evaluation?.perClass ?? []).filter(({ annotations }) => annotations > 0);
  const { main } = classMetrics(measuredSummary(classes));
  const most = classes.reduce((a, b) => (b.annotations > (a?.annotations ?? 0) ? b : a), classes[0]);
  const ofMost = most?.[main];
  if (!most || typeof ofMost !== "number") return null;
  const rare = classes.filter((one) => {
    const value = one[main];
    return RARE * one.annotations <= most.annotations && typeof value === "number" && value < ofMost / 2;
  });
  const [rarest] = rare.sort((a, b) => a.annotations - b.annotations);
  if (!rarest) return null;
  const others = rare.length > 1 ? ` (and ${rare.length - 1} more like it)` : "";
  const resampled = recipe("data.resample") !== undefined && recipe("data.resample") !== "none";
  return {
    text: `${rarest.name} has ${rarest.annotations} objects in validation and ${main} ${rarest[main]!.toFixed(3)}, ${most.name} ${most.annotations} and ${ofMost.toFixed(3)}${others}: rare classes are learned less.`,
    todo: resampled
      ? "They are shown more often already (data.resample): more images of them are what is left."
      : "Show them more often: --set data.resample=repeat-factor; more images of them help more.",
  };
};

export const smallObjects: Rule = ({ objects, resolution, recipe, evaluation }) => {
  const sliced = recipe("data.slices");
  if (!objects || resolution === null || (sliced !== undefined && sliced !== "none")) return null;
  const seen = objects.sides.filter((one): one is { picture: number; network: number } => one.network !== null);
  const small = seen.filter(({ network }) => network < SMALL);
  if (seen.length === 0 || small.length < 0.3 * seen.length) return null;
  const ap = evaluation?.metrics.APs;
  const size = Math.max(64, 32 * Math.round((resolution * median(small.map(({ picture }) => picture))) / SMALL / 32));
  return {
    text: `${percent(small.length / seen.length)} of ${seen.length} validation objects have less than ${SMALL} pixels a side as the network sees them, at ${resolution} x ${resolution}${typeof ap === "number" ? ` (APs ${ap.toFixed(3)})` : ""}.`,
    todo:
      size < 0.8 * objects.pictureSide
        ? `Train on parts of the pictures: --set "data.slices={size: ${size}}"; or with a larger model.resolution.`
        : "Train with a larger model.resolution: the pictures are too small to be cut.",
  };
};

export const fewQueries: Rule = ({ objects, queries }) => {
  if (!objects || queries === null) return null;
  const above = objects.counts.filter((count) => count > queries);
  if (above.length === 0) return null;
  const most = above.reduce((a, b) => Math.max(a, b));
  return {
    text: `${above.length} of ${objects.counts.length} validation pictures hold more objects (up to ${most}) than the model's ${queries} queries can find.`,
    todo: `--set model.num_queries=${100 * Math.ceil(most / 100)}, or train on parts of the pictures with data.slices.`,
  };
};

export const brokenPromise: Rule = ({ test }) => {
  const broken = test && describeConfirmation(test.confirmation).filter((text) => text.endsWith("not confirmed"));
  if (!broken || broken.length === 0) return null;
  return {
    text: `On its ${test.images} test images ${broken.join("; ")}: test and validation differ by more than chance.`,
    todo: "Look at what the test images have that validation lacks (rfdetr-train evaluate --split test), and divide the data again: rfdetr-train data split.",
  };
};
