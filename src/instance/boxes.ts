// Boxes as COCO's metrics have them, and how much two of them have in common.

/** x, y, width, height in pixels. */
export type CocoBox = readonly [x: number, y: number, width: number, height: number];

/** Area that two boxes share. */
function sharedArea(a: CocoBox, b: CocoBox): number {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  return width > 0 && height > 0 ? width * height : 0;
}

/** Intersection over union. */
export function boxIou(a: CocoBox, b: CocoBox): number {
  const both = sharedArea(a, b);
  return both === 0 ? 0 : both / (a[2] * a[3] + b[2] * b[3] - both);
}

/** The part of a box that lies in another. */
export function coveredShare(box: CocoBox, by: CocoBox): number {
  const both = sharedArea(box, by);
  return both === 0 ? 0 : both / (box[2] * box[3]);
}
