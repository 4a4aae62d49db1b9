// How light a colour is: OpenCV's weights for bytes.

const SHIFT = 15;
const [RED, GREEN, BLUE] = [9798, 19235, 3735] as const;

/** The grey of each pixel, `[height * width]`. */
export function greyOf(data: Uint8Array): Uint8Array {
  const grey = new Uint8Array(data.length / 3);
  for (let i = 0, at = 0; i < grey.length; i++, at += 3)
    grey[i] = (data[at]! * RED + data[at + 1]! * GREEN + data[at + 2]! * BLUE + (1 << (SHIFT - 1))) >> SHIFT;
  return grey;
}

/** The mean of bytes. */
export function meanOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += bytes[i]!;
  return sum / bytes.length;
}
