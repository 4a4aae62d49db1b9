// The wire format of protocol buffers: what event files, .wandb files and ONNX files are made of. Schemas are the callers'.
// https://protobuf.dev/programming-guides/encoding/

/** An encoded message or field: pieces one after the other. Payloads are never copied, so that weights are held once. */
export type Encoded = readonly Uint8Array[];

/** A whole message from its fields; a field that is undefined is left out. */
export function message(...fields: (Encoded | undefined)[]): Encoded {
  return fields.flatMap((field) => field ?? []);
}

/** int32, int64, uint64, bool or enum. Negative numbers take their 64-bit two's complement, as protobuf has it. */
export function int(field: number, value: number | bigint | boolean): Encoded {
  return [varint(field << 3), varint(value)];
}

export function float(field: number, value: number): Encoded {
  const payload = Buffer.alloc(4);
  payload.writeFloatLE(value);
  return [varint((field << 3) | 5), payload];
}

export function double(field: number, value: number): Encoded {
  const payload = Buffer.alloc(8);
  payload.writeDoubleLE(value);
  return [varint((field << 3) | 1), payload];
}

/** bytes, an embedded message, or packed numbers that the caller has laid out. */
export function bytes(field: number, payload: Uint8Array | Encoded): Encoded {
  const pieces = payload instanceof Uint8Array ? [payload] : payload;
  return [varint((field << 3) | 2), varint(byteLength(pieces)), ...pieces];
}

/** An embedded message from its fields. */
export function embed(field: number, ...fields: (Encoded | undefined)[]): Encoded {
  return bytes(field, message(...fields));
}

export function text(field: number, value: string): Encoded {
  return bytes(field, Buffer.from(value, "utf8"));
}

/** Packed doubles. */
export function packedDoubles(field: number, values: ArrayLike<number>): Encoded {
  const payload = Buffer.alloc(8 * values.length);
  for (let i = 0; i < values.length; i++) payload.writeDoubleLE(values[i]!, 8 * i);
  return bytes(field, payload);
}

export function byteLength(encoded: Encoded): number {
  return encoded.reduce((sum, { length }) => sum + length, 0);
}

/** All of it in one piece. */
export function toBytes(encoded: Encoded): Uint8Array {
  return Buffer.concat(encoded);
}

function varint(value: number | bigint | boolean): Uint8Array {
  if (typeof value === "number" && value >= 0 && value < 128) return Uint8Array.of(value);
  let rest = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  do {
    out.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(out);
}

/** A field as it is read: a number for varints, else the bytes (a view, not a copy). */
export type Field = { field: number; value: bigint | Uint8Array };

/** The fields of a message in their order. Throws a RangeError where the bytes are no message or end too early. */
export function* readFields(from: Uint8Array): Generator<Field> {
  let at = 0;
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = from[at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw new RangeError(`no number at byte ${at}`);
  };
  const take = (length: number): Uint8Array => {
    if (length > from.length - at) throw new RangeError(`the message ends within a field of ${length} bytes`);
    at += length;
    return from.subarray(at - length, at);
  };
  while (at < from.length) {
    const key = Number(number());
    const [field, type] = [Math.floor(key / 8), key % 8];
    if (field === 0) throw new RangeError(`field number 0 at byte ${at}`);
    if (type === 0) yield { field, value: number() };
    else if (type === 1) yield { field, value: take(8) };
    else if (type === 2) yield { field, value: take(Number(number())) };
    else if (type === 5) yield { field, value: take(4) };
    else throw new RangeError(`wire type ${type} at byte ${at}`);
  }
}
