// Masks of a part of a picture and of all of it: cut out, and put back, on their runs.

import { changesOf, overColumns, type Runs, runsFromChanges } from "./runs.ts";

/** Where the part lies, in pixels of the picture. */
type Place = { left: number; top: number; width: number; height: number };

/** What of a picture's mask lies in a part of it. */
export function cutRuns(runs: Runs, { left, top, width, height }: Place): Runs {
  const changes: number[] = [];
  overColumns(changesOf(runs), runs.size[0], (x, from, to) => {
    if (x < left || x >= left + width) return;
    const [start, end] = [Math.max(from - top, 0), Math.min(to - top, height)];
    if (start < end) changes.push((x - left) * height + start, (x - left) * height + end);
  });
  return runsFromChanges(changes, [height, width]);
}

/** The mask of a part as one of the picture, which has nothing outside of it. */
export function placeRuns(runs: Runs, { left, top }: Pick<Place, "left" | "top">, picture: Runs["size"]): Runs {
  const changes: number[] = [];
  overColumns(changesOf(runs), runs.size[0], (x, from, to) => {
    const column = (x + left) * picture[0] + top;
    changes.push(column + from, column + to);
  });
  return runsFromChanges(changes, picture);
}
