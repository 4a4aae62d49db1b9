// What an object is, wherever it is on its way: from the annotation to the target of a loss, to a detection, to a metric.

import type { Matrix } from "./matrix.ts";

/** `[x1, y1, x2, y2]` in pixels of the original image. */
type Corners = [x1: number, y1: number, x2: number, y2: number];

/**
 * Of a point (x, y) as it was annotated: it is now at (scaleX * x + shiftX, scaleY * y + shiftY); a mirrored scaleX is negative. Once its
 * image was turned or sheared, a matrix says where.
 */
export type Placement = [scaleX: number, scaleY: number, shiftX: number, shiftY: number] | Matrix;

/**
 * The region that an object covers, as the file had it: polygons `[x, y, x, y, ...]` in pixels, or COCO's run lengths (column by
 * column, outside first), as numbers or packed in a text. Once its image was changed, polygons have moved with it, and `placed` says where the pixels of `size` are.
 */
export type Mask =
  | { polygons: number[][] }
  | { size: [height: number, width: number]; counts: number[] | string; placed?: Placement };

/** What may be known of an object besides its box. `keypoints`: `[x, y, visibility, ...]` in pixels, as COCO has them. */
export type Shape = { mask?: Mask; keypoints?: number[] };

/** One object. `label` is the model's class index, from 0. */
export type Instance = Shape & { label: number; box: Corners };

/**
 * Masks of the objects of an image: pixels [n, height, width], row-major, 1 where the object is; present [n], 1 where the
 * annotation had a mask. One without is all 0.
 */
export type MaskPixels = { size: [height: number, width: number]; pixels: Uint8Array; present: Uint8Array };

/**
 * The objects of one image as columns, which is how tensors are made of them: boxes [n, 4], row-major, and classes [n]. As the
 * target of a loss, boxes are normalised cxcywh; as detections, xyxy in pixels. `shapes` [n]: masks and keypoints in the same
 * coordinates, from 0 to 1 in a target; `masks`: the pixels of the masks, in the target of a segmenter. Both are absent where
 * nobody asked for them.
 */
export type Instances = { boxes: Float32Array; labels: Int32Array; shapes?: readonly Shape[]; masks?: MaskPixels };

/** What there is to find in one image: boxes normalised cxcywh. */
export type Target = Instances;
