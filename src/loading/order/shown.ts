// How often the boxes of each class are shown: what re-sampling and the share of images without boxes come to.

import { type ClassEntry, countKeys, type Sample } from "../../data/dataset/sample.ts";
import { type Fact, sentence } from "../../util/text/fact.ts";
import { describeResampling } from "../batch/resample.ts";
import { describePadding, epochLength, epochOrder, imagesOfEpoch, type OrderOptions } from "../batch/sampler.ts";
import { type Ordering, orderPlan } from "./plan.ts";

/** Classes that are named, at most. */
const MOST_CLASSES = 20;

type ShownBoxes = {
  /** Boxes, by label, that are annotated and that are shown. */
  annotated: number[];
  shown: number[];
  /** Images that are shown, and those of them without boxes. */
  images: number;
  empty: number;
};

/** What the first `images` images of a run show, by the order of its epochs. Images that turned out to be damaged are not known here. */
export function shownBoxes(
  samples: readonly Sample[],
  classes: readonly ClassEntry[],
  { plan, seed, images }: { plan: OrderOptions; seed: number; images: number },
): ShownBoxes {
  const boxes = samples.map(({ annotations }) => annotations.filter(({ crowd }) => !crowd).map(({ label }) => label));
  const found: ShownBoxes = { annotated: classes.map(() => 0), shown: classes.map(() => 0), images, empty: 0 };
  for (const label of boxes.flat()) found.annotated[label]! += 1;
  const length = epochLength(plan);
  for (let epoch = 0; epoch * length < images; epoch++)
    for (const image of epochOrder(seed, epoch, plan).slice(0, images - epoch * length)) {
      if (boxes[image]!.length === 0) found.empty++;
      for (const label of boxes[image]!) found.shown[label]! += 1;
    }
  return found;
}

/** The same for people. `over`: what that is of, such as "An epoch shows". */
function describeShown(
  classes: readonly ClassEntry[],
  { annotated, shown, images, empty }: ShownBoxes,
  over: string,
): Fact {
  const keys = countKeys(classes);
  const parts = keys.map((key, label) => {
    const times =
      annotated[label] === 0
        ? ""
        : ` (each of ${annotated[label]} ${(shown[label]! / annotated[label]!).toFixed(2)} times)`;
    return `${key} ${shown[label]}${times}`;
  });
  const more = parts.length > MOST_CLASSES ? `, and ${parts.length - MOST_CLASSES} more classes` : "";
  const value = `${images} images, ${empty} of them without boxes; boxes of ${parts.slice(0, MOST_CLASSES).join(", ")}${more}`;
  return { name: over, value };
}

/** How images are sampled, where it is not once each: in lines for people, for the first epoch. */
export function describeOrder(
  samples: readonly Sample[],
  classes: readonly ClassEntry[],
  { ordering, seed }: { ordering: Ordering; seed: number },
): Fact[] {
  const { resample, negatives } = ordering;
  const plan = orderPlan(samples, ordering);
  const images = epochLength(plan);
  const special = resample !== undefined || negatives !== undefined;
  return [
    ...(resample ? [describeResampling(resample, samples)] : []),
    ...(special && samples.length > 0 ? [describeShown(classes, shownBoxes(samples, classes, { plan, seed, images }), "An epoch shows")] : []), // biome-ignore format: one line
    ...describePadding(images, imagesOfEpoch(plan)).map(sentence),
  ];
}

/** What the first `images` images of a run showed, where they were not ordered as they come; none where no image was. */
export function describeAllShown(
  samples: readonly Sample[],
  classes: readonly ClassEntry[],
  { ordering, seed, images }: { ordering: Ordering; seed: number; images: number },
): Fact[] {
  if ((ordering.resample === undefined && ordering.negatives === undefined) || images === 0) return [];
  return [
    describeShown(
      classes,
      shownBoxes(samples, classes, { plan: orderPlan(samples, ordering), seed, images }),
      "The run has shown",
    ),
  ];
}
