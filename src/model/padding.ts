// What a padding mask means for the feature maps (masks are resized to each map as the reference's, by nearest neighbour).

import * as tf from "@tensorflow/tfjs-core";

/** Host-side description of the padding; `tensors()` makes what the decoder needs of it. */
export type Padding = {
  /** Picture cells a column and a row of each map, [image][level]. */
  rows: number[][];
  columns: number[][];
  /** 1 where a token is picture, 0 where it is padding; [batch * tokens]. */
  keep: Float32Array;
  /** keep: [batch, tokens, 1]; validRatios: [batch, levels, 2] as (x, y). */
  tensors(): { keep: tf.Tensor; validRatios: tf.Tensor };
};

/** mask: [batch, height, width], 1 = padding; maps: [batch, rows, columns, dim] a level. */
export function readPadding(
  mask: Uint8Array,
  [batch, height, width]: readonly [number, number, number, number],
  maps: tf.Tensor4D[],
): Padding {
  const sizes = maps.map(({ shape }) => [shape[1], shape[2]] as const);
  const tokens = sizes.reduce((sum, [h, w]) => sum + h * w, 0);
  const keep = new Float32Array(batch * tokens);
  const rows: number[][] = [];
  const columns: number[][] = [];
  let token = 0;
  for (let image = 0; image < batch; image++) {
    const isPicture = (y: number, x: number) => mask[(image * height + y) * width + x] === 0;
    rows.push([]);
    columns.push([]);
    for (const [h, w] of sizes) {
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
  const ratios = sizes.map(([h, w], level) =>
    rows.map((_, image) => [columns[image]![level]! / w, rows[image]![level]! / h]),
  );
  return {
    rows,
    columns,
    keep,
    tensors: () => ({
      keep: tf.tensor3d(keep, [batch, tokens, 1]),
      validRatios: tf.tensor3d(
        Array.from({ length: batch }, (_, image) => ratios.map((perImage) => perImage[image]!)),
        [batch, sizes.length, 2],
      ),
    }),
  };
}
