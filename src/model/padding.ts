// What a padding mask means for the feature maps (masks are resized to each map as the reference's, by nearest neighbour).

import * as tf from "@tensorflow/tfjs-core";
import type { MapSize } from "../ops/deformable.ts";
import { type Proposals, proposalGrid, uploadProposals } from "./twoStage.ts";

/**
 * The padding of a batch as the network takes it. keep: [batch, tokens, 1], 1 where a token is picture, 0 where it is
 * padding; validRatios: [batch, levels, 2] as (x, y), the picture's share of each map; and the proposals that lie in it.
 */
export type Padding = Proposals & { keep: tf.Tensor; validRatios: tf.Tensor };

/**
 * Put the padding of a batch on the device; the caller owns it. mask: [batch, height, width], 1 = padding, of the shape
 * given; `mapSizes`: those of the levels (`levelSizes`).
 */
export function uploadPadding(
  { mask, shape: [batch, height, width] }: { mask: Uint8Array; shape: readonly [number, number, number, ...number[]] },
  mapSizes: MapSize[],
): Padding {
  const tokens = mapSizes.reduce((sum, [h, w]) => sum + h * w, 0);
  const keep = new Float32Array(batch * tokens);
  const rows: number[][] = []; // picture cells a column of each map, [image][level]
  const columns: number[][] = []; // and a row
  let token = 0;
  for (let image = 0; image < batch; image++) {
    const isPicture = (y: number, x: number) => mask[(image * height + y) * width + x] === 0;
    rows.push([]);
    columns.push([]);
    for (const [h, w] of mapSizes) {
      const sourceRow = (y: number) => Math.floor((y * height) / h);
      const sourceColumn = (x: number) => Math.floor((x * width) / w);
      for (let y = 0; y < h; y++)
        for (let x = 0; x < w; x++) keep[token++] = isPicture(sourceRow(y), sourceColumn(x)) ? 1 : 0;
      const count = (n: number, test: (i: number) => boolean) =>
        Array.from({ length: n }, (_, i) => i).filter(test).length;
      rows[image]!.push(count(h, (y) => isPicture(sourceRow(y), 0)));
      columns[image]!.push(count(w, (x) => isPicture(0, sourceColumn(x))));
    }
  }
  const ratios = rows.map((own, image) =>
    mapSizes.map(([h, w], level) => [columns[image]![level]! / w, own[level]! / h]),
  );
  return {
    ...uploadProposals(proposalGrid(mapSizes, batch, { rows, columns, keep }), batch),
    keep: tf.tensor3d(keep, [batch, tokens, 1]),
    validRatios: tf.tensor3d(ratios, [batch, mapSizes.length, 2]),
  };
}
