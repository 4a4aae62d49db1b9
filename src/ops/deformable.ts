// Deformable attention (Deformable DETR; rfdetr/models/ops/modules/ms_deform_attn.py): every query reads each feature
// map at a few points that it chooses itself, by bilinear interpolation with zeros beyond the border.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp, rawOps } from "../engine/backend.ts";
import { hasKernels } from "../engine/ownKernels.ts";
import { differentiable } from "./differentiable.ts";
import { gatherRows, scatterSum } from "./gather.ts";
import { type Linear, linear, preciseLinear } from "./linear.ts";

export type DeformableAttention = {
  samplingOffsets: Linear;
  attentionWeights: Linear;
  value: Linear;
  output: Linear;
};

/** Height and width of one feature map, in cells. */
export type MapSize = [height: number, width: number];

type DeformableOptions = {
  mapSizes: MapSize[];
  heads: number;
  /** Samples of each head on each map. */
  points: number;
  /** One unit of a sampling offset, in sides of the reference box. */
  offsetUnit: number;
  keep?: tf.Tensor | undefined;
};

/**
 * query: [batch, queries, dim]; referencePoints: [batch, queries, levels, 4], normalised cxcywh;
 * memory: [batch, tokens, dim], the maps one after the other, row-major; keep: [batch, tokens, 1], 0 where padding
 * -> [batch, queries, dim].
 */
export function deformableAttention(
  weights: DeformableAttention,
  query: tf.Tensor,
  referencePoints: tf.Tensor,
  memory: tf.Tensor,
  { mapSizes, heads, points, offsetUnit, keep }: DeformableOptions,
): tf.Tensor {
  const [batch, queries] = query.shape as [number, number, number];
  const levels = mapSizes.length;
  return tf.tidy(() => {
    const projected = linear(weights.value, memory);
    const value = keep ? tf.mul(projected, keep) : projected;
    const offsets = tf.reshape(preciseLinear(weights.samplingOffsets, query), [
      batch,
      queries,
      heads,
      levels,
      points,
      2,
    ]);
    const scores = tf.reshape(preciseLinear(weights.attentionWeights, query), [batch, queries, heads, levels * points]);
    const attention = tf.softmax(scores);
    const boxes = tf.reshape(referencePoints, [batch, queries, 1, levels, 1, 4]);
    const [centre, extent] = tf.split(boxes, 2, -1) as [tf.Tensor, tf.Tensor];
    const locations = tf.add(centre, tf.mul(tf.mul(offsets, offsetUnit), extent));
    return linear(weights.output, sampleMaps(value, locations, attention, { mapSizes, heads, points }));
  });
}

/**
 * Weighted sums of bilinear samples. value: [batch, tokens, dim]; locations: [batch, queries, heads, levels, points, 2],
 * normalised (x, y); attention: [batch, queries, heads, levels * points] -> [batch, queries, dim].
 */
export function sampleMaps(
  value: tf.Tensor,
  locations: tf.Tensor,
  attention: tf.Tensor,
  options: { mapSizes: MapSize[]; heads: number; points: number },
): tf.Tensor {
  if (hasKernels()) return ownSampleMaps(value, locations, attention, options.mapSizes);
  const images = value.shape[0]!;
  if (images === 1) return sampleImage(value, locations, attention, options);
  // The gathered rows are many times larger than what goes in or comes out: one image at a time keeps them small.
  return tf.tidy(() => {
    const [values, places, shares] = [value, locations, attention].map((x) => tf.split(x, images)) as [
      tf.Tensor[],
      tf.Tensor[],
      tf.Tensor[],
    ];
    return tf.concat(values.map((one, i) => sampleImage(one, places[i]!, shares[i]!, options)));
  });
}

/** `sampleMaps` by a kernel that holds nothing but what goes in and comes out. */
function ownSampleMaps(value: tf.Tensor, locations: tf.Tensor, attention: tf.Tensor, mapSizes: MapSize[]): tf.Tensor {
  return differentiable(
    { value, locations, attention },
    (save) => {
      const sizes = tf.tensor2d(mapSizes);
      save(value, locations, attention, sizes);
      return rawOp("RfDeformable", {}, [value, locations, attention, sizes]);
    },
    (dy, saved) => {
      const [dValue, dLocations, dAttention] = rawOps("RfDeformableGrad", {}, [...saved, dy], 3);
      return { value: () => dValue!, locations: () => dLocations!, attention: () => dAttention! };
    },
  );
}

/** `sampleMaps` of one image: the leading axis of every tensor is 1. */
function sampleImage(
  value: tf.Tensor,
  locations: tf.Tensor,
  attention: tf.Tensor,
  { mapSizes, heads, points }: { mapSizes: MapSize[]; heads: number; points: number },
): tf.Tensor {
  const dim = value.shape[2]!;
  const queries = locations.shape[1]!;
  const channels = dim / heads;
  const readers = queries * heads;
  let first = 0;
  const levels = mapSizes.map((size, level) => {
    const start = first;
    first += size[0] * size[1];
    return { size, level, start };
  });
  const pointsOf = (x: tf.Tensor, a: tf.Tensor, level: number) => ({
    xy: tf.reshape(tf.slice(x, [0, 0, 0, level, 0, 0], [-1, -1, -1, 1, -1, -1]), [1, queries, heads, points, 2]),
    a: tf.reshape(tf.slice(a, [0, 0, 0, level * points], [-1, -1, -1, points]), [readers, points, 1]),
  });

  return differentiable(
    { value, locations, attention },
    (save) => {
      save(value, locations, attention);
      const sums = levels.map(({ size, level, start }) =>
        tf.tidy(() => {
          const { xy, a } = pointsOf(locations, attention, level);
          const { indices, corners } = corner(xy, size, heads);
          const rows = gatherRows(quads(value, start, size, heads), indices); // [readers * points, 4 * channels]
          const shares = tf.reshape(tf.mul(corners, a), [readers, points * 4, 1]);
          return tf.sum(tf.mul(tf.reshape(rows, [readers, points * 4, channels]), shares), 1);
        }),
      );
      return tf.reshape(sums.length === 1 ? sums[0]! : tf.addN(sums), [1, queries, dim]);
    },
    (dy, [v, l, w]) => {
      const dOut = tf.reshape(dy, [readers, 1, channels]);
      const parts = levels.map(({ size, level, start }) => {
        const { xy, a } = pointsOf(l!, w!, level);
        const { indices, corners, fx, fy, inside } = corner(xy, size, heads);
        const dots = tf.tidy(() => {
          const rows = gatherRows(quads(v!, start, size, heads), indices);
          return tf.reshape(tf.sum(tf.mul(tf.reshape(rows, [readers, points * 4, channels]), dOut), -1), [
            readers,
            points,
            4,
          ]);
        });
        return { size, indices, corners, fx, fy, inside, a, dots };
      });
      return {
        value: () =>
          tf.concat(
            parts.map(({ size: [height, width], indices, corners, a }) =>
              tf.tidy(() => {
                const shares = tf.reshape(tf.mul(corners, a), [readers, points * 4, 1]);
                const dRows = tf.reshape(tf.mul(shares, dOut), [readers * points, 4 * channels]);
                const dQuads = scatterSum(dRows, indices, (height + 1) * (width + 1) * heads);
                return unquad(dQuads, [height, width], heads, channels);
              }),
            ),
            1,
          ),
        locations: () =>
          tf.stack(
            parts.map((part) => tf.reshape(locationGradient(part), [1, queries, heads, points, 2])),
            3,
          ),
        attention: () =>
          tf.concat(
            parts.map(({ corners, dots }) =>
              tf.reshape(tf.sum(tf.mul(corners, dots), -1), [1, queries, heads, points]),
            ),
            -1,
          ),
      };
    },
  );
}

/**
 * What the place of each point of one map gets. dots: [readers, points, 4], products of the output's gradient with the four
 * neighbours; all else: [readers, points, 1] -> [readers, points, 2].
 */
function locationGradient({
  size: [height, width],
  fx,
  fy,
  inside,
  a,
  dots,
}: { size: MapSize; a: tf.Tensor; dots: tf.Tensor } & Pick<
  ReturnType<typeof corner>,
  "fx" | "fy" | "inside"
>): tf.Tensor {
  const [topLeft, topRight, bottomLeft, bottomRight] = tf.split(dots, 4, -1) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const top = tf.sub(topRight, topLeft);
  const bottom = tf.sub(bottomRight, bottomLeft);
  const left = tf.sub(bottomLeft, topLeft);
  const right = tf.sub(bottomRight, topRight);
  const scale = tf.mul(a, inside);
  const dx = tf.mul(tf.mul(tf.add(top, tf.mul(tf.sub(bottom, top), fy)), scale), width);
  const dy = tf.mul(tf.mul(tf.add(left, tf.mul(tf.sub(right, left), fx)), scale), height);
  return tf.concat([dx, dy], -1);
}

/**
 * Where each point lies between cell centres. xy: [1, queries, heads, points, 2], normalised.
 * Returns the row of `quads` that holds its four neighbours, their bilinear weights (top left, top right, bottom left,
 * bottom right) and the fractions they come from; weights are 0 for points a whole cell or more outside.
 */
function corner(xy: tf.Tensor, [height, width]: MapSize, heads: number) {
  const [, queries, , points] = xy.shape as [number, number, number, number, number];
  return tf.tidy(() => {
    const cells = tf.sub(tf.mul(xy, tf.tensor1d([width, height])), 0.5);
    const floor = tf.floor(cells);
    const fraction = tf.reshape(tf.sub(cells, floor), [queries * heads, points, 2]);
    const [fx, fy] = tf.split(fraction, 2, -1) as [tf.Tensor, tf.Tensor];
    // clipped as integers, so that a NaN or an infinity cannot become an index out of range
    const cell = tf.cast(floor, "int32");
    const last = tf.tensor1d([width - 1, height - 1], "int32");
    const clipped = tf.maximum(tf.minimum(cell, last), tf.scalar(-1, "int32"));
    const hit = tf.cast(tf.equal(cell, clipped), "float32");
    const inside = tf.reshape(tf.prod(hit, -1), [queries * heads, points, 1]);
    const [column, row] = tf.split(tf.add(clipped, tf.scalar(1, "int32")), 2, -1) as [tf.Tensor, tf.Tensor];
    const head = tf.reshape(tf.range(0, heads, 1, "int32"), [1, 1, heads, 1, 1]);
    const int = (n: number) => tf.scalar(n, "int32");
    const quad = tf.add(tf.mul(row, int(width + 1)), column);
    const indices = tf.reshape(tf.add(tf.mul(quad, int(heads)), head), [-1]);
    const gx = tf.sub(1, fx);
    const gy = tf.sub(1, fy);
    const corners = tf.mul(tf.concat([tf.mul(gy, gx), tf.mul(gy, fx), tf.mul(fy, gx), tf.mul(fy, fx)], -1), inside); // [queries * heads, points, 4]
    return { indices, corners, fx, fy, inside };
  });
}

/**
 * For every 2 x 2 block of cells (the map padded by one cell of zeros) and every head its four cells side by side, so
 * that one gathered row holds all that a bilinear sample needs. value: [1, tokens, dim] ->
 * [(height + 1) * (width + 1) * heads, 4 * channels].
 */
function quads(value: tf.Tensor, start: number, [height, width]: MapSize, heads: number): tf.Tensor {
  const dim = value.shape[2]!;
  return tf.tidy(() => {
    const map = tf.reshape(tf.slice(value, [0, start, 0], [-1, height * width, -1]), [1, height, width, dim]);
    const padded = tf.pad(map, [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]);
    const shifted = CORNERS.map(([dy, dx]) =>
      tf.reshape(tf.slice(padded, [0, dy, dx, 0], [-1, height + 1, width + 1, -1]), [-1, dim / heads]),
    );
    return tf.reshape(tf.stack(shifted, 1), [(height + 1) * (width + 1) * heads, 4 * (dim / heads)]);
  });
}

/** The transpose of `quads`: sums every cell over the four blocks that hold it -> [1, height * width, dim]. */
function unquad(dQuads: tf.Tensor, [height, width]: MapSize, heads: number, channels: number): tf.Tensor {
  return tf.tidy(() => {
    const dim = heads * channels;
    const parts = tf.unstack(tf.reshape(dQuads, [-1, 4, channels]), 1);
    // cell (y, x) is corner (dy, dx) of the block at (y + 1 - dy, x + 1 - dx)
    const cells = parts.map((part, i) => {
      const [dy, dx] = CORNERS[i]!;
      const blocks = tf.reshape(part, [1, height + 1, width + 1, dim]);
      return tf.slice(blocks, [0, 1 - dy, 1 - dx, 0], [-1, height, width, -1]);
    });
    return tf.reshape(tf.addN(cells), [1, height * width, dim]);
  });
}

const CORNERS = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
] as const;
