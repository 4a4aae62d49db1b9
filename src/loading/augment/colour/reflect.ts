// Where pixels beyond a picture's edge come from: mirrored, the edge itself not repeated, as OpenCV has it by default.

/** Sources of the places `-radius` to `length - 1 + radius`. */
export function reflected(length: number, radius: number): Int32Array {
  const period = Math.max(2 * length - 2, 1);
  return Int32Array.from({ length: length + 2 * radius }, (_, i) => {
    const place = Math.abs(i - radius) % period;
    return place < length ? place : period - place;
  });
}
