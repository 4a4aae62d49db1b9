// The matched pairs whose masks are compared, on the device.

import * as tf from "@tensorflow/tfjs-core";
import type { Uniform } from "../../ops/masks/points.ts";
import { bucket } from "../bucket.ts";
import type { Match } from "../matcher.ts";
import type { StackedOutputs } from "../outputs.ts";
import type { PointDraws } from "./draws.ts";
import type { GroundMasks } from "./ground.ts";
import { lossPoints, type MaskLossSettings } from "./settings.ts";

/** As many pairs for every image of every output; padding is not valid. */
export type MaskPairs = {
  /** The query of each pair, as a row of [batch * queries]: int32 [outputs, batch * pairs]. */
  queries: tf.Tensor2D;
  /** Its mask among the pixels: int32, likewise. */
  places: tf.Tensor2D;
  /** 1, or 0 for padding: likewise. */
  valid: tf.Tensor2D;
  /** bool [masks, height, width]. */
  pixels: tf.Tensor3D;
  /** Of every output, what its points are drawn from. */
  points: { candidates: Uniform; drawn: Uniform }[];
};

/** The pairs of targets that have masks. The result is the caller's, with the pixels, which it was given. */
export function maskPairs(
  outputs: StackedOutputs,
  matches: Match[][],
  { pixels, places }: GroundMasks,
  { groups, settings, draws }: { groups: number; settings: MaskLossSettings; draws: PointDraws },
): MaskPairs {
  const batch = places.length;
  const most = Math.max(...places.map((of) => of.filter((place) => place >= 0).length));
  const width = groups * bucket(most);
  const rows = batch * width;
  const queries = new Int32Array(matches.length * rows);
  const masks = new Int32Array(matches.length * rows);
  const valid = new Float32Array(matches.length * rows);
  const [, height, columns] = outputs.masks[0]!.map.shape;
  const counts = lossPoints([height, columns], settings);
  const points = matches.map((images, output) => {
    const real: number[] = [];
    for (const [image, found] of images.entries()) {
      let row = image * width;
      for (const [i, query] of found.queries.entries()) {
        const place = places[image]![found.targets[i]!]!;
        if (place < 0) continue;
        queries[output * rows + row] = image * outputs.queries[output]! + query;
        masks[output * rows + row] = place;
        valid[output * rows + row] = 1;
        real.push(row++);
      }
    }
    const draw = (which: "candidates" | "drawn") => draws.pairs(output, which, { rows, count: counts[which], real });
    return { candidates: draw("candidates"), drawn: draw("drawn") };
  });
  const shape: [number, number] = [matches.length, rows];
  return {
    queries: tf.tensor2d(queries, shape),
    places: tf.tensor2d(masks, shape),
    valid: tf.tensor2d(valid, shape),
    pixels,
    points,
  };
}
