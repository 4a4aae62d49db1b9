// What is true of every ONNX file: numbers of the format that the writer and the reader share (onnx.proto, IR version 8).

/** TensorProto.DataType of the element types in use. */
export const ELEMENT = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float16: 10 } as const;

export type ElementType = keyof typeof ELEMENT;

/** The domain of onnxruntime's own operations. */
export const CONTRIB = "com.microsoft";

/** Protobuf cannot hold more, and neither can a file whose weights are inside. */
export const MOST_BYTES = 2 ** 31 - 1;

/** Whether a path means an ONNX file. */
export function isOnnx(path: string): boolean {
  return /\.onnx$/i.test(path);
}

/** The longest side of a decoded mask: a larger image has masks of so many pixels on that side, which stand for all of it. */
export const MOST_MASK_SIDE = 1024;
