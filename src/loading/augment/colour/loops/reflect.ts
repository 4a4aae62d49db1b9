// Where pixels beyond a picture's edge come from: mirrored, the edge itself not repeated, as OpenCV has it by default.

/** Sources of the places `-radius` to `length - 1 + radius`. */
export function reflected(length: number, radius: number): Int32Array {
  const period = Math.max(2 * length - 2, 1);
  return Int32Array.from({ length: length + 2 * radius }, (_, i) => {
    const place = Math.abs(i - radius) % period;
    return place < length ? place : period - place;
  });
}

/** Memory for a row of pixels and `radius` more on both sides, which `reflect` fills from the row. */
export function wideRow(columns: Int32Array, radius: number): { wide: Int32Array; inner: Int32Array; reflect(): void } {
  const width = columns.length - 2 * radius;
  const wide = new Int32Array(3 * columns.length);
  const inner = wide.subarray(3 * radius, 3 * (radius + width));
  const fill = (place: number) => {
    for (let c = 0; c < 3; c++) wide[3 * place + c] = inner[3 * columns[place]! + c]!;
  };
  const reflect = () => {
    for (let place = 0; place < radius; place++) {
      fill(place);
      fill(radius + width + place);
    }
  };
  return { wide, inner, reflect };
}
