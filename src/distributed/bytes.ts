// Bytes as the numbers that collective operations carry: four to a float32, whose bits are kept.

/** Bytes as numbers, filled up with zeros to those of `length` bytes. */
export function toNumbers(bytes: Uint8Array, length = bytes.length): Float32Array {
  const numbers = new Float32Array(Math.ceil(length / 4));
  new Uint8Array(numbers.buffer).set(bytes);
  return numbers;
}

export function fromNumbers(numbers: Float32Array, length: number): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, length);
}

const HIGH = 2 ** 20;

/** A length in two numbers that float32 has exactly. */
export function lengthNumbers(length: number): Float32Array {
  return Float32Array.of(Math.floor(length / HIGH), length % HIGH);
}

export function lengthOf([high, low]: Float32Array): number {
  return high! * HIGH + low!;
}

/** Numbers that go in one operation. */
const PIECE = 4 << 20; // 16 MB

/** Copies of numbers piece by piece, each as long as a power of two: operations of few lengths, however long data is. */
export function* pieces(numbers: Float32Array): Generator<{ from: number; piece: Float32Array }> {
  for (let from = 0; from < numbers.length; from += PIECE) {
    const rest = numbers.subarray(from, from + PIECE);
    const piece = new Float32Array(Math.max(16, 2 ** Math.ceil(Math.log2(rest.length))));
    piece.set(rest);
    yield { from, piece };
  }
}
