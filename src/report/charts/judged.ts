// What detections of the page's pictures are at a confidence: hits, misses and errors; and the confusion matrix of that.

type BrowserData = import("../page/pageData.ts").BrowserData;
type BrowsedPicture = BrowserData["pictures"][number];
/** What there is in a picture, and what was found. */
type Judged = Pick<BrowsedPicture, "truths" | "detections">;
type Box = readonly [x: number, y: number, width: number, height: number];

type ItemKind = "hit" | "miss" | "alarm" | "class" | "place";

/** An object, a detection, or both where one was taken for the other; classes by their places, undefined: background. */
type Item = {
  kind: ItemKind;
  truth: number | undefined;
  taken: number | undefined;
  score: number | undefined;
  box: Box;
  /** Places among the objects and the detections of the picture. */
  object: number | undefined;
  detection: number | undefined;
  /** Where the object is that a detection of a wrong class or place was meant for. */
  meant: Box | undefined;
};

/** The confidence from which detections count on this page now; it moves with the slider. */
const confidence = {
  now: Math.max(page.run?.evaluation?.threshold ?? 0, page.run?.browser?.floor ?? 0),
  moved: false,
};

/** Hits first, then detections of one class taken for objects of another, largest overlap first, as the trainer counts them. */
function judge({ truths, detections: all }: Judged, least: number): Item[] {
  const detections = all.filter(([, score]) => score >= least);
  const open = new Set(truths.keys());
  const items: Item[] = [];
  const boxOf = (of: readonly number[], from: number): Box => [of[from]!, of[from + 1]!, of[from + 2]!, of[from + 3]!];
  const add = (kind: ItemKind, d: number | undefined, { g, meant }: { g?: number; meant?: number } = {}) => {
    const [detection, truth] = [detections[d ?? -1], truths[g ?? -1]];
    const box = detection ? boxOf(detection, 2) : boxOf(truth!, 1);
    const other = truths[meant ?? -1];
    const taken = detection?.[0];
    const places = { object: g ?? meant, detection: d };
    items.push({
      kind,
      truth: truth?.[0],
      taken,
      score: detection?.[1],
      box,
      ...places,
      meant: other && boxOf(other, 1),
    });
  };
  const left = new Set<number>();
  for (const [d, detection] of detections.entries()) {
    if (detection[6] >= 0) {
      open.delete(detection[6]);
      add("hit", d, { g: detection[6] });
    } else left.add(d);
  }
  for (const { d, g } of acrossPairs(detections)) {
    if (!open.has(g) || !left.has(d)) continue;
    open.delete(g);
    left.delete(d);
    add("class", d, { g, meant: g });
  }
  for (const g of open) add("miss", undefined, { g });
  for (const d of left) {
    const [near, crowd] = [detections[d]![7], detections[d]![8]];
    if (crowd === 0) add(near >= 0 ? "place" : "alarm", d, near >= 0 ? { meant: near } : {});
  }
  return items;
}

function acrossPairs(detections: BrowsedPicture["detections"]): { d: number; g: number; iou: number }[] {
  const pairs: { d: number; g: number; iou: number }[] = [];
  for (const [d, detection] of detections.entries())
    for (let i = 9; i + 1 < detection.length; i += 2) pairs.push({ d, g: detection[i]!, iou: detection[i + 1]! });
  return pairs.sort((a, b) => b.iou - a.iou);
}

/** The rows of the matrix by the places of classes; -1 for classes that it does not show. */
function rowOf({ rows }: BrowserData, place: number | undefined): number {
  return place === undefined ? rows.length : rows.findIndex((places) => places.includes(place));
}

/** The confusion matrix at the confidence of now: of the pictures of this page once that has moved, else as it was recorded. */
function confusionNow({ confusion: recorded }: ShownEvaluation): Confusion {
  const browser = page.run?.browser;
  if (!browser || !confidence.moved) return recorded;
  const counts = recorded.counts.map((row) => row.map(() => 0));
  for (const picture of browser.pictures)
    for (const { truth, taken } of judge(picture, confidence.now)) {
      const [i, j] = [rowOf(browser, truth), rowOf(browser, taken)];
      if (i >= 0 && j >= 0) counts[i]![j]!++;
    }
  return { classes: recorded.classes, counts };
}
