// Tensors in host memory, as files hold them. This is what passes between checkpoint files and the model.

/** Element types, named as safetensors names them. */
export type DType = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

export const BYTES: Record<DType, number> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** A tensor in host memory: raw little-endian bytes, row-major. `bytes.length === product(shape) * BYTES[dtype]`. */
export type HostTensor = { dtype: DType; shape: number[]; bytes: Uint8Array };

/** Tensors by name, in file order. */
export type StateDict = Map<string, HostTensor>;

/** A leaf of our weight tree in host memory, row-major. */
export type Leaf = { shape: number[]; data: Float32Array };

export function size(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** A float32 host tensor over the given values (no copy). */
export function fromFloat32(data: Float32Array, shape: number[]): HostTensor {
  return { dtype: "F32", shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** The values as float32, row-major: a view where the bytes already are aligned float32, otherwise converted. */
export function toFloat32({ dtype, shape, bytes }: HostTensor): Float32Array {
  const n = size(shape);
  if (dtype === "F32" && bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, n);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float32Array(n);
  const read: Record<DType, (i: number) => number> = {
    F64: (i) => view.getFloat64(8 * i, true),
    F32: (i) => view.getFloat32(4 * i, true),
    F16: (i) => halfToNumber(view.getUint16(2 * i, true)),
    BF16: (i) => bfloatToNumber(view.getUint16(2 * i, true)),
    I64: (i) => Number(view.getBigInt64(8 * i, true)),
    I32: (i) => view.getInt32(4 * i, true),
    I16: (i) => view.getInt16(2 * i, true),
    I8: (i) => view.getInt8(i),
    U8: (i) => view.getUint8(i),
    BOOL: (i) => view.getUint8(i),
  };
  const get = read[dtype];
  for (let i = 0; i < n; i++) out[i] = get(i);
  return out;
}

/** Whether no value is NaN or infinite. */
export function allFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!; // 0, but for what is not finite
  return sum === 0;
}

function halfToNumber(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 0x1f;
  const fraction = h & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));
function bfloatToNumber(h: number): number {
  scratch.setUint32(0, h << 16);
  return scratch.getFloat32(0);
}
