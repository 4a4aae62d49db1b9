// Where in a rising list of places each place begins.

/** Index of the first of rising `places` that is at least 0, 1, ... `length`; their number where none is. [length + 1]. */
export function firstFrom(places: Int32Array, length: number): Int32Array {
  const first = new Int32Array(length + 1).fill(places.length);
  for (let i = places.length - 1; i >= 0; i--) first[places[i]!] = i;
  for (let place = length - 1; place >= 0; place--) first[place] = Math.min(first[place]!, first[place + 1]!);
  return first;
}
