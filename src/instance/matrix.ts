// Maps of the plane: of points in an image to points in what was made of it.

/** Three rows of three: (x, y, 1) becomes (X, Y, W), the point (X / W, Y / W). */
export type Matrix = readonly [number, number, number, number, number, number, number, number, number];

/** First `a`, then `b`. */
export function followed(a: Matrix, b: Matrix): Matrix {
  const entry = (row: number, column: number) =>
    b[3 * row]! * a[column]! + b[3 * row + 1]! * a[column + 3]! + b[3 * row + 2]! * a[column + 6]!;
  return [0, 1, 2].flatMap((row) => [0, 1, 2].map((column) => entry(row, column))) as unknown as Matrix;
}

/** The way back. */
export function inverse([a, b, c, d, e, f, g, h, i]: Matrix): Matrix {
  const [A, B, C] = [e * i - f * h, f * g - d * i, d * h - e * g];
  const determinant = a * A + b * B + c * C;
  return [A, c * h - b * i, b * f - c * e, B, a * i - c * g, c * d - a * f, C, b * g - a * h, a * e - b * d].map(
    (v) => v / determinant,
  ) as unknown as Matrix;
}

/** Where a point comes to. */
export function movedPoint([a, b, c, d, e, f, g, h, i]: Matrix, x: number, y: number): [x: number, y: number] {
  const w = g * x + h * y + i;
  return [(a * x + b * y + c) / w, (d * x + e * y + f) / w];
}

/** Sizes times `sx`, `sy`, then a shift. */
export function scaling([sx, sy, tx, ty]: readonly [number, number, number, number]): Matrix {
  return [sx, 0, tx, 0, sy, ty, 0, 0, 1];
}
