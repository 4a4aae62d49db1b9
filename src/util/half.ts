// float32 to float16.

const scratch = new DataView(new ArrayBuffer(4));

/** The bits of the float16 nearest to a number; ties go to the even one, what is too large becomes infinite. */
export function halfBits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // not a number
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and more
  if (magnitude < 0x38800000) return sign | roundEven(Math.abs(value) * 2 ** 24); // below 2^-14: no hidden bit
  const rest = magnitude & 0x1fff;
  const cut = (magnitude - 0x38000000) >>> 13;
  return sign | (cut + (rest > 0x1000 || (rest === 0x1000 && (cut & 1) === 1) ? 1 : 0));
}

function roundEven(value: number): number {
  const down = Math.floor(value);
  const over = value - down;
  return over > 0.5 || (over === 0.5 && down % 2 === 1) ? down + 1 : down;
}
