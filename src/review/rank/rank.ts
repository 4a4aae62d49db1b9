// Suspected labels, the most suspect first: pure arithmetic over labels and detections. docs/data.md explains the scores.

import type { ReviewedPicture, Suspect } from "../suspect.ts";
import { type Evidence, evidenceOf, FOUND, NEAR, type On, type PictureEvidence, sureness } from "./evidence.ts";
import { commonShare } from "./footprint.ts";
import { expectedShares, type PlacedLabel } from "./placement.ts";

/** Suspects that score less are left out. */
const LEAST_SUSPICION = 0.1;

/**
 * All suspects of some pictures, the highest score first. `known`: whether the detector knows the class of a label; others are never
 * suspect. Throws a UserError for a mask that cannot be used.
 */
export function rankSuspects(
  pictures: Iterable<ReviewedPicture>,
  { known = () => true }: { known?: (label: number) => boolean } = {},
): Suspect[] {
  const suspects: Suspect[] = [];
  const places: { suspect: Suspect; placed: PlacedLabel }[] = [];
  for (const picture of pictures) {
    const evidence = evidenceOf(picture);
    const labels = evidence.labels.filter(({ annotation }) => known(annotation.label));
    suspects.push(...missing(evidence), ...labels.flatMap((one) => otherClass(one, evidence)), ...doubles(labels, picture)); // biome-ignore format: one line
    places.push(...labels.flatMap((one) => badlyPlaced(one, evidence)));
  }
  const expected = expectedShares(places.map(({ placed }) => placed));
  for (const { suspect, placed } of places) suspects.push({ ...suspect, score: offPlace(placed, expected(placed)) });
  return suspects.filter(({ score }) => score >= LEAST_SUSPICION).sort((a, b) => b.score - a.score);
}

/** What was found where no label is: how sure it was found, times how far it is from any label. */
function missing({ picture, found }: PictureEvidence): Suspect[] {
  return found.flatMap(({ found: one, footprint, most }, d): Suspect[] => {
    const again = found.slice(0, d).some((better) => commonShare(better.footprint, footprint) >= FOUND);
    return most >= NEAR || again ? [] : [{ kind: "missing", score: one.score * (1 - most), picture, found: one }];
  });
}

/** How much surer another class was found on a label than its own. */
function otherClass({ index, annotation, near, own }: Evidence, { picture, labels }: PictureEvidence): Suspect[] {
  const others = near.filter(({ found, share }) => share >= FOUND && found.label !== annotation.label);
  const best = surest(others);
  if (!best) return [];
  const taken = labels.some((label) => label.index !== index && label.annotation.label === best.found.label && shareOf(label, best) > best.share); // biome-ignore format: one line
  return taken ? [] : [{ kind: "class", score: sureness(best) - own, picture, label: index, found: best.found }];
}

/** The detection that shows where the object of a label lies. Its score waits for what is expected. */
function badlyPlaced(
  { index, annotation, near }: Evidence,
  { picture, labels }: PictureEvidence,
): { suspect: Suspect; placed: PlacedLabel }[] {
  const best = surest(near.filter(({ found }) => found.label === annotation.label));
  if (!best || (annotation.mask && !best.found.mask)) return []; // a box says nothing of where a mask should be
  if (labels.some((label) => label.index !== index && shareOf(label, best) > best.share)) return [];
  const [x1, y1, x2, y2] = annotation.box;
  const placed = { side: Math.sqrt((x2 - x1) * (y2 - y1)), score: best.found.score, share: best.share };
  return [{ suspect: { kind: "place", score: 0, picture, label: index, found: best.found }, placed }];
}

/** How sure the object was found, times how much less its label has in common with it than expected: all of it at half of that. */
function offPlace({ score, share }: PlacedLabel, expected: number): number {
  return score * Math.min(1, Math.max(0, 2 * (1 - share / expected)));
}

/** Two labels that lie on each other where no second object was found; the one that is less sure is to go. */
function doubles(labels: readonly Evidence[], picture: ReviewedPicture): Suspect[] {
  return labels.flatMap((a, i) =>
    labels.slice(i + 1).flatMap((b): Suspect[] => {
      const share = commonShare(a.footprint, b.footprint);
      if (share < FOUND) return [];
      const scores = new Map([...a.near, ...b.near].filter((on) => on.share >= FOUND).map(({ found }) => [found, found.score])); // biome-ignore format: one line
      const [, second = 0] = [...scores.values()].sort((x, y) => y - x);
      const [stays, goes] = b.own > a.own ? [b, a] : [a, b];
      return [{ kind: "double", score: share * (1 - second), picture, label: goes.index, other: stays.index }];
    }),
  );
}

function surest(on: readonly On[]): On | undefined {
  return on.reduce<On | undefined>((best, one) => (best && sureness(best) >= sureness(one) ? best : one), undefined);
}

function shareOf({ near }: Evidence, { found }: On): number {
  return near.find((one) => one.found === found)?.share ?? 0;
}
