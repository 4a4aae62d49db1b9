// What the restricted unpickler can make: plain values, tensors as descriptions of storages, and a closed table of Python names.

import { damaged, quoted } from "../fileReader.ts";

/** A Python value. A list is an array, a dict (of any kind) a Map; the rest of Python's types carry a tag. */
export type PyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyValue[]
  | Map<PyValue, PyValue>
  | PyTuple
  | PyNamespace
  | PyGlobal
  | PyStorage
  | PyTensor;

export type PyTuple = { py: "tuple"; items: PyValue[] };
type PyNamespace = { py: "namespace"; fields: Map<PyValue, PyValue> };
/** A Python name that the table knows; never the thing it stands for. */
type PyGlobal = { py: "global"; name: string };
/** `type` is torch's, e.g. "FloatStorage"; `numel` counts elements of that type. */
export type PyStorage = { py: "storage"; key: string; type: string; numel: number };
/** A view of a storage. Offset and strides count elements; `dtype` is torch's name where the storage is untyped. */
export type PyTensor = {
  py: "tensor";
  storage: PyStorage;
  dtype: string | undefined;
  offset: number;
  shape: number[];
  strides: number[];
};

export function isTagged<Tag extends string>(value: PyValue, tag: Tag): value is Extract<PyValue, { py: Tag }> {
  return typeof value === "object" && value !== null && "py" in value && value.py === tag;
}

export const tuple = (items: PyValue[]): PyTuple => ({ py: "tuple", items });

type Maker = (args: PyValue[], fail: (why: string) => Error) => PyValue;

// A call must not make much more than it is given: a short pickle could otherwise double a text again and again.
const MAX_TEXT = 512;
const short = (text: string, fail: (why: string) => Error): string => {
  if (text.length > MAX_TEXT) throw fail(`it makes a text of ${text.length} characters`);
  return text;
};
const texts = (args: PyValue[], fail: (why: string) => Error): string[] =>
  args.map((arg) => {
    if (typeof arg !== "string" && typeof arg !== "number") throw fail("a path or a device is made of no text");
    return short(String(arg), fail);
  });
const joined: Maker = (args, fail) => short(texts(args, fail).join(":"), fail);
const path: Maker = (args, fail) => short(texts(args, fail).join("/").replace(/^\/\//, "/"), fail);
const first: Maker = ([value], fail) => {
  if (value === undefined) throw fail("a call lacks its argument");
  return value;
};
const toMap: Maker = ([items], fail) => {
  if (items === undefined) return new Map();
  if (items instanceof Map) return items;
  // The list is used up, so that it cannot be copied again and again.
  if (!Array.isArray(items)) throw fail("a dict is made of no items");
  return new Map(
    items.splice(0).map((item): [PyValue, PyValue] => {
      const pair = Array.isArray(item) ? item : item !== null && isTagged(item, "tuple") ? item.items : [];
      if (pair.length !== 2) throw fail("a dict is made of items that are no pairs");
      return [pair[0] as PyValue, pair[1] as PyValue];
    }),
  );
};
const toList: Maker = ([items], fail) => {
  if (items === undefined) return [];
  if (Array.isArray(items)) return items;
  if (isTagged(items, "tuple")) return items.items;
  throw fail("a set is made of no list");
};
const namespace: Maker = () => ({ py: "namespace", fields: new Map() });

const tensor: Maker = ([storage, offset, shape, strides], fail) => {
  return rebuild(storage, offset, shape, strides, undefined, fail);
};
const tensorOfType: Maker = ([storage, offset, shape, strides, , , dtype], fail) => {
  if (dtype === undefined || !isTagged(dtype, "global")) throw fail("a tensor has no element type");
  return rebuild(storage, offset, shape, strides, dtype.name, fail);
};

function rebuild(
  storage: PyValue | undefined,
  offset: PyValue | undefined,
  shape: PyValue | undefined,
  strides: PyValue | undefined,
  dtype: string | undefined,
  fail: (why: string) => Error,
): PyTensor {
  const wholes = (value: PyValue | undefined): number[] => {
    const items =
      value !== undefined && isTagged(value, "tuple") ? value.items : Array.isArray(value) ? value : undefined;
    if (!items || items.length > 32 || !items.every((n) => Number.isSafeInteger(n) && (n as number) >= 0)) {
      throw fail("the shape or the strides of a tensor are not valid");
    }
    return items as number[];
  };
  if (storage === undefined || !isTagged(storage, "storage")) throw fail("a tensor has no storage");
  const [start] = wholes([offset ?? null]) as [number];
  const view = { shape: wholes(shape), strides: wholes(strides) };
  if (view.shape.length !== view.strides.length) throw fail("a tensor has another number of strides than of axes");
  return { py: "tensor", storage, dtype, offset: start, ...view };
}

/** A numpy scalar: `scalar(dtype, bytes)`; the dtype comes as the text that `numpy.dtype` was called with. */
const scalar: Maker = ([dtype, bytes], fail) => {
  if (!(bytes instanceof Uint8Array) || typeof dtype !== "string") throw fail("a numpy scalar is not valid");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const readers: Record<string, [number, () => number | bigint | boolean]> = {
    b1: [1, () => view.getUint8(0) !== 0],
    i1: [1, () => view.getInt8(0)],
    u1: [1, () => view.getUint8(0)],
    i2: [2, () => view.getInt16(0, true)],
    u2: [2, () => view.getUint16(0, true)],
    i4: [4, () => view.getInt32(0, true)],
    u4: [4, () => view.getUint32(0, true)],
    i8: [8, () => shortest(view.getBigInt64(0, true))],
    u8: [8, () => shortest(view.getBigUint64(0, true))],
    f4: [4, () => view.getFloat32(0, true)],
    f8: [8, () => view.getFloat64(0, true)],
  };
  const known = Object.hasOwn(readers, dtype) ? readers[dtype] : undefined;
  if (!known || known[0] !== bytes.length) throw fail(`a numpy scalar has the type ${quoted(dtype)}`);
  return known[1]();
};

const latin1: Maker = ([text, encoding], fail) => {
  if (typeof text !== "string" || encoding !== "latin1") throw fail("a byte string is not valid");
  return Uint8Array.from(short(text, fail), (letter) => letter.charCodeAt(0));
};

/** What may be called, and what the call gives. Nothing else ever runs on behalf of a file. */
const CALLABLE = new Map<string, Maker>([
  ["torch._utils._rebuild_tensor", tensor],
  ["torch._utils._rebuild_tensor_v2", tensor],
  ["torch._utils._rebuild_tensor_v3", tensorOfType],
  ["torch._utils._rebuild_parameter", first],
  ["torch._utils._rebuild_parameter_with_state", first],
  ["torch.Size", first],
  ["torch.device", joined],
  ["torch.serialization._get_layout", joined],
  ["collections.OrderedDict", toMap],
  ["collections.Counter", toMap],
  ["argparse.Namespace", namespace],
  ["types.SimpleNamespace", namespace],
  ["builtins.set", toList],
  ["builtins.frozenset", toList],
  ["builtins.bytearray", first],
  ["_codecs.encode", latin1],
  ["numpy.dtype", first],
  ...["numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"].map((name): [string, Maker] => [name, scalar]),
  ...["pathlib", "pathlib._local"].flatMap((module) =>
    ["Path", "PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath"].map((name): [string, Maker] => {
      return [`${module}.${name}`, path];
    }),
  ),
  // Enumerations of the reference's training configuration (rfdetr/config.py); their value is a text.
  ["rfdetr.config.MultiScale", first],
  ["rfdetr.config.AugmentationBackend", first],
]);

const NAMES = /^torch\.(?:(?:storage\.)?[A-Z][A-Za-z0-9]*Storage|(?:storage\.)?UntypedStorage)$/;
const DTYPES =
  /^torch\.(?:bool|u?int(?:8|16|32|64)|(?:b?float|complex)\d+|half|float|double|long|short|int|q\w{3,8}|float8_\w+)$/;

/** Whether a file may name this: something callable of the table, a storage type or an element type. */
export function isKnownGlobal(name: string): boolean {
  return CALLABLE.has(name) || NAMES.test(name) || DTYPES.test(name);
}

/** The result of calling `callee` in the file at `path`. */
export function call(callee: PyValue, args: PyValue, filePath: string): PyValue {
  const fail = (why: string) => damaged(filePath, why);
  if (!isTagged(callee, "global")) throw fail("it calls a thing that is no function");
  const make = CALLABLE.get(callee.name);
  if (!make) throw fail(`it calls ${quoted(callee.name)}, which is no function`);
  if (!isTagged(args, "tuple")) throw fail("it calls a function without a list of arguments");
  return make(args.items, fail);
}

/** A number where it is exact, otherwise the bigint. */
export function shortest(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
