// How numbers of a recipe become drawn ones.

import type { Rng } from "../../../util/random/rng.ts";
import type { Span } from "../colour/settings.ts";
import type { Axes, Fill } from "../settings.ts";
import type { Colour } from "../step.ts";

/** From where to where. */
export type Pair = readonly [low: number, high: number];

export function pair(span: readonly number[]): Pair {
  return [span[0]!, span[1]!];
}

/** A number is how far from 0 both ways. */
export function bothWays(span: Span): Pair {
  return typeof span === "number" ? [-span, span] : pair(span);
}

/** A number is itself. */
export function exactly(span: Span): Pair {
  return typeof span === "number" ? [span, span] : pair(span);
}

/** Both axes. */
export function axes(span: Axes): { x: Pair; y: Pair } {
  if (typeof span === "object" && "x" in span) return { x: exactly(span.x), y: exactly(span.y) };
  return { x: exactly(span), y: exactly(span) };
}

export function between(rng: Rng, [low, high]: Pair): number {
  return low + (high - low) * rng.uniform();
}

export function fillColour(fill: Fill): Colour {
  return typeof fill === "number" ? [fill, fill, fill] : [fill[0]!, fill[1]!, fill[2]!];
}
