// Writing weights as torch.save would: a zip archive that torch.load(weights_only=True) and the reference's loader read.

import { writeFileAtomic } from "../../util/files.ts";
import type { DType, StateDict } from "../../util/hostTensor.ts";
import { checkTensor } from "../safetensors.ts";
import type { Json } from "./plain.ts";
import { zipStored } from "./zip.ts";

const STORAGES: Record<DType, string> = {
  F64: "DoubleStorage",
  F32: "FloatStorage",
  F16: "HalfStorage",
  BF16: "BFloat16Storage",
  I64: "LongStorage",
  I32: "IntStorage",
  I16: "ShortStorage",
  I8: "CharStorage",
  U8: "ByteStorage",
  BOOL: "BoolStorage",
};

const ALIGNMENT = 64;

/**
 * Write `{ model: tensors, ...fields }` as a .pth file, whole or not at all. The same arguments give the same bytes.
 * The reference wants `fields.args` (a dict with class_names, num_queries, group_detr, ...) and `fields.model_config`.
 */
export async function writePth(path: string, tensors: StateDict, fields: Record<string, Json> = {}): Promise<void> {
  const storages: Uint8Array[] = [];
  const pickle = new PickleWriter();
  pickle.protocol();
  pickle.dict([
    [
      "model",
      () => {
        pickle.dict(
          [...tensors].map(([name, tensor]): [string, () => void] => {
            checkTensor(name, tensor);
            return [
              name,
              () => {
                storages.push(tensor.bytes);
                pickle.tensor(STORAGES[tensor.dtype], String(storages.length - 1), tensor.shape);
              },
            ];
          }),
        );
      },
    ],
    ...Object.entries(fields).map(([key, value]): [string, () => void] => [key, () => pickle.json(value)]),
  ]);
  const text = (value: string) => new TextEncoder().encode(value);
  const archive = [
    { name: "archive/data.pkl", data: pickle.end() },
    { name: "archive/.format_version", data: text("1") },
    { name: "archive/.storage_alignment", data: text(String(ALIGNMENT)) },
    { name: "archive/byteorder", data: text("little") },
    ...storages.map((data, i) => ({ name: `archive/data/${i}`, data })),
    { name: "archive/version", data: text("3\n") },
  ];
  await writeFileAtomic(path, zipStored(archive, ALIGNMENT));
}

/** A pickle of protocol 2, the one that torch.save writes, without a memo: nothing in a weights file is shared. */
class PickleWriter {
  readonly #parts: Uint8Array[] = [];

  protocol(): void {
    this.#code(0x80, 2);
  }

  end(): Uint8Array {
    this.#code(0x2e);
    return new Uint8Array(Buffer.concat(this.#parts));
  }

  dict(entries: [string, () => void][]): void {
    this.#code(0x7d);
    if (entries.length === 0) return;
    this.#code(0x28);
    for (const [key, write] of entries) {
      this.text(key);
      write();
    }
    this.#code(0x75);
  }

  /** A contiguous tensor that is the whole of the storage `key`. */
  tensor(storageType: string, key: string, shape: number[]): void {
    let count = 1;
    const strides: number[] = [];
    for (const length of [...shape].reverse()) {
      strides.unshift(count);
      count *= Math.max(1, length); // torch counts an empty axis as one here
    }
    this.#global("torch._utils", "_rebuild_tensor_v2");
    this.#code(0x28, 0x28);
    this.text("storage");
    this.#global("torch", storageType);
    this.text(key);
    this.text("cpu");
    this.number(shape.reduce((a, b) => a * b, 1));
    this.#code(0x74, 0x51); // the storage's persistent id
    this.number(0);
    this.#numbers(shape);
    this.#numbers(strides);
    this.#code(0x89);
    this.#global("collections", "OrderedDict");
    this.#code(0x29, 0x52); // no hooks
    this.#code(0x74, 0x52);
  }

  json(value: Json): void {
    if (value === null) this.#code(0x4e);
    else if (typeof value === "boolean") this.#code(value ? 0x88 : 0x89);
    else if (typeof value === "number") this.number(value);
    else if (typeof value === "string") this.text(value);
    else if (Array.isArray(value)) {
      this.#code(0x5d);
      if (value.length === 0) return;
      this.#code(0x28);
      for (const item of value) this.json(item);
      this.#code(0x65);
    } else this.dict(Object.entries(value).map(([key, item]) => [key, () => this.json(item)]));
  }

  number(value: number): void {
    if (Number.isInteger(value) && !Object.is(value, -0) && Math.abs(value) < 2 ** 31) {
      this.#view(0x4a, 4, (view) => view.setInt32(1, value, true));
    } else if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.#view(0x8a, 9, (view) => {
        view.setUint8(1, 8);
        view.setBigInt64(2, BigInt(value), true);
      });
    } else this.#view(0x47, 8, (view) => view.setFloat64(1, value, false));
  }

  text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.#view(0x58, 4, (view) => view.setUint32(1, bytes.length, true));
    this.#parts.push(bytes);
  }

  #numbers(values: number[]): void {
    this.#code(0x28);
    for (const value of values) this.number(value);
    this.#code(0x74);
  }

  #global(module: string, name: string): void {
    this.#parts.push(new TextEncoder().encode(`c${module}\n${name}\n`));
  }

  #code(...codes: number[]): void {
    this.#parts.push(Uint8Array.from(codes));
  }

  #view(code: number, length: number, fill: (view: DataView) => void): void {
    const bytes = new Uint8Array(1 + length);
    bytes[0] = code;
    fill(new DataView(bytes.buffer));
    this.#parts.push(bytes);
  }
}
