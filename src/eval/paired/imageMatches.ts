// Which detections of an evaluation find an object, image by image, with nothing that AP does not depend on.

import type { Sample } from "../../data/dataset/sample.ts";
import { KINDS } from "../../instance/metricKinds.ts";
import { MASK_METRIC } from "../../instance/metrics.ts";
import type { ClassMatches, Matches } from "../../run/records/matches.ts";
import { matchClasses, type RankedMatches } from "../boxMatching.ts";
import type { Evaluation } from "../evaluate.ts";
import { compareMasks } from "../maskAp.ts";

/** Detections of all classes and kinds; more are not kept: eight bytes each. */
const MOST_DETECTIONS = 2_000_000;

/** Undefined where there are too many. `maxDets`: detections that count, an image and class. */
export function imageMatches(
  { groundTruths, detections, categories, metrics, broken }: Pick<Evaluation, "groundTruths" | "detections" | "categories" | "metrics" | "broken">, // biome-ignore format: one line
  { samples, maxDets }: { samples: readonly Pick<Sample, "imageId" | "file">[]; maxDets: number },
): Matches | undefined {
  const unread = new Set(broken.map(({ imageId }) => imageId));
  const images = samples.filter(({ imageId }) => !unread.has(imageId));
  const placeOf = new Map(images.map(({ imageId }, place) => [imageId, place]));
  const shown = new Set([...groundTruths, ...detections].map(({ imageId }) => imageId));
  const places = [...shown].sort((a, b) => a - b).map((imageId) => placeOf.get(imageId) ?? 0);
  const ranking = { groundTruths, detections, classes: categories, limit: maxDets };
  let left = MOST_DETECTIONS;
  const kinds: Matches["kinds"] = [];
  for (const { prefix } of Object.values(KINDS)) {
    const masks = prefix === KINDS.segm.prefix;
    if (masks && !(MASK_METRIC in metrics)) continue;
    const classes: ClassMatches[] = [];
    for (const [place, ranked] of matchClasses({ ...ranking, compare: masks ? compareMasks : undefined })) {
      classes.push(withName(categories[place]!.name, ranked, places));
      left -= classes.at(-1)!.image.length;
    }
    kinds.push({ prefix, classes });
  }
  return left < 0 ? undefined : { images: images.map(({ file }) => file), kinds };
}

/** Without what comes after the last detection that finds something: no precision that counts is measured there. */
function withName(
  name: string,
  { image, matched, ignored, inImage }: RankedMatches,
  places: readonly number[],
): ClassMatches {
  const last = matched[0]!.findLastIndex((bits, i) => (bits & ~ignored[0]![i]!) !== 0);
  const withObjects = [...inImage.keys()].filter((i) => inImage[i]! > 0);
  return {
    name,
    objects: {
      image: Uint32Array.from(withObjects, (i) => places[i]!),
      count: Uint32Array.from(withObjects, (i) => inImage[i]!),
    },
    image: Uint32Array.from(image.subarray(0, last + 1), (i) => places[i]!),
    matched: matched[0]!.slice(0, last + 1),
    ignored: ignored[0]!.slice(0, last + 1),
  };
}
