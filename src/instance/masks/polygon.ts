// The pixels of a polygon by pycocotools' rule (`rleFrPoly`): corners on a grid of fifths of a pixel, outlines drawn on it, and a
// pixel's column changes where the outline passes its middle.

import { UserError } from "../../util/errors.ts";
import { type Runs, runsFromChanges } from "./runs.ts";

/** Fifths of a pixel. */
const SCALE = 5;
/** The fifth of a pixel behind which its middle lies. */
const MIDDLE = 2;
/** So often may the outlines of one object pass columns of its image: more than any hand has drawn. */
const MOST_PASSES = 2 ** 22;
/** Pixels from the image on, beyond which a corner is nonsense. */
const FARTHEST = 1e8;

/** The runs of a polygon `[x, y, x, y, ...]`, in pixels; less than three corners have none. Throws a UserError that begins with what is wrong. */
export function polygonRuns(polygon: readonly number[], size: Runs["size"]): Runs {
  const corners = Math.floor(polygon.length / 2);
  if (corners < 3) return runsFromChanges([], size);
  const at = (i: number) => {
    const value = polygon[i]!;
    if (!(Math.abs(value) <= FARTHEST)) throw new UserError(`has a corner at ${value}`);
    return Math.trunc(SCALE * value + 0.5);
  };
  const changes = new Changes(size);
  for (let j = 0; j < corners; j++) {
    const next = j + 1 < corners ? j + 1 : 0;
    changes.addEdge(at(2 * j), at(2 * j + 1), at(2 * next), at(2 * next + 1));
  }
  return runsFromChanges(changes.sorted(), size);
}

/** The places where an outline passes the middles of columns. */
class Changes {
  private readonly height: number;
  private readonly width: number;
  private places = new Uint32Array(256);
  private length = 0;

  constructor([height, width]: Runs["size"]) {
    this.height = height;
    this.width = width;
  }

  sorted(): Uint32Array {
    return this.places.subarray(0, this.length).sort();
  }

  /** An edge in fifths of pixels, drawn along its longer axis, from the lower end on that axis. */
  addEdge(x1: number, y1: number, x2: number, y2: number): void {
    const [dx, dy] = [Math.abs(x2 - x1), Math.abs(y2 - y1)];
    if (dx === 0) return; // passes no column
    const wide = dx >= dy;
    const flip = wide ? x1 > x2 : y1 > y2;
    const [xs, ys, xe, ye] = flip ? [x2, y2, x1, y1] : [x1, y1, x2, y2];
    const slope = wide ? (ye - ys) / dx : (xe - xs) / dy;
    const [left, right] = [Math.min(xs, xe), Math.max(xs, xe)];
    const first = Math.max(0, Math.ceil((left - MIDDLE) / SCALE));
    const last = Math.min(this.width - 1, Math.floor((right - 1 - MIDDLE) / SCALE));
    for (let column = first; column <= last; column++) {
      const before = SCALE * column + MIDDLE;
      if (wide) {
        const t = before - xs;
        this.add(column, Math.min(Math.trunc(ys + slope * t + 0.5), Math.trunc(ys + slope * (t + 1) + 0.5)));
      } else this.add(column, ys - 1 + firstPast(before, { xs, slope, most: dy }));
    }
  }

  private add(column: number, fifth: number): void {
    if (this.length === MOST_PASSES)
      throw new UserError(`passes the columns of its image more than ${MOST_PASSES} times`);
    if (this.length === this.places.length) {
      const more = new Uint32Array(2 * this.length);
      more.set(this.places);
      this.places = more;
    }
    const row = Math.ceil(Math.min(Math.max((fifth + 0.5) / SCALE - 0.5, 0), this.height));
    this.places[this.length++] = column * this.height + row;
  }
}

/** The first step down a steep edge that is on the other side of `before` than its start is. */
function firstPast(before: number, { xs, slope, most }: { xs: number; slope: number; most: number }): number {
  const past = (t: number) => {
    const x = Math.trunc(xs + slope * t + 0.5);
    return slope > 0 ? x > before : x <= before;
  };
  let t = Math.min(Math.max(Math.ceil((before + 0.5 - xs) / slope), 1), most);
  while (t > 1 && past(t - 1)) t--;
  while (t < most && !past(t)) t++;
  return t;
}
