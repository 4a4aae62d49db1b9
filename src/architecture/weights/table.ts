// The weight table: every weight of an architecture, where it is in our tree, what the reference calls it, how it
// begins, and what part of the network it learns as.

import { size } from "../../util/hostTensor.ts";
import type { Architecture } from "../variants.ts";
import { backboneWeights } from "./backbone.ts";
import { decoderWeights, queryWeights } from "./decoder.ts";
import { inPart, type NameEntry, OUR_AXES } from "./entry.ts";
import { headWeights } from "./heads.ts";
import { projectorWeights } from "./projector.ts";

/** A buffer that every checkpoint of the reference holds; a detection model does not use it. */
export const UNUSED_BUFFER = "_kp_active_mask";

/** Every weight of an architecture, in the reference's order. */
export function nameTable(architecture: Architecture): NameEntry[] {
  return [
    ...decoderWeights(architecture),
    ...inPart({ name: "rest" }, headWeights(architecture)),
    ...inPart({ name: "rest" }, queryWeights(architecture)),
    ...backboneWeights(architecture),
    ...inPart({ name: "rest" }, projectorWeights(architecture)),
  ];
}

/** Shape of our leaf (or of its slice, where it stacks several tensors) for an entry. */
export function sliceShape({ shape, layout, rows }: Pick<NameEntry, "shape" | "layout" | "rows">): number[] {
  const part = rows ? [rows.count, ...shape.slice(1)] : shape;
  return layout === "same" ? part : OUR_AXES[layout].map((axis) => part[axis]!);
}

/** Shapes of all leaves by path, in the order of the table. */
export function leafShapes(architecture: Architecture): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  for (const entry of nameTable(architecture)) {
    const shape = sliceShape(entry);
    shapes.set(entry.path, entry.stack ? [entry.stack.of, ...shape] : shape);
  }
  return shapes;
}

/** Number of trainable parameters, counted as the reference counts them. */
export function parameterCount(architecture: Architecture): number {
  let count = 0;
  for (const shape of leafShapes(architecture).values()) count += size(shape);
  return count;
}

/** The reference's key list with shapes, in its order, with the buffer that every checkpoint holds. */
export function referenceKeys(architecture: Architecture): Map<string, number[]> {
  const keys = new Map<string, number[]>([[UNUSED_BUFFER, [0, 0]]]);
  for (const { reference, shape } of nameTable(architecture)) keys.set(reference, shape);
  return keys;
}

/** Names that a reference checkpoint may hold and that are no weights of ours. */
export function isIgnoredName(name: string): boolean {
  return name === UNUSED_BUFFER;
}
