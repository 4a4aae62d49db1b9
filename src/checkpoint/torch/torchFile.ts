// The two containers of torch.save (torch/serialization.py): a zip archive, and before torch 1.6 a row of pickles with raw storages behind.

import { UserError } from "../../util/errors.ts";
import { damaged, type FileReader, quoted } from "../fileReader.ts";
import { unpickle } from "./pickle.ts";
import { isTagged, type PyStorage, type PyValue } from "./pickleValues.ts";
import { readZipDirectory, readZipEntry, type ZipEntry } from "./zip.ts";

/** The pickled value, and how to bring the bytes of one of its storages into memory. */
export type TorchFile = {
  value: PyValue;
  readStorage(storage: PyStorage, bytes: number): Promise<Uint8Array>;
};

const MAX_PICKLE = 64 * 2 ** 20;

/** Open a file of torch.save by its first bytes. Throws a UserError that names the file. */
export async function openTorchFile(file: FileReader): Promise<TorchFile> {
  const start = await file.read(0, Math.min(2, file.size));
  return start[0] === 0x50 && start[1] === 0x4b ? openZip(file) : openLegacy(file);
}

async function openZip(file: FileReader): Promise<TorchFile> {
  const entries = await readZipDirectory(file);
  const pickles = [...entries.keys()].filter((name) => /^(?:[^/]+\/)?data\.pkl$/.test(name));
  const pickle = pickles[0];
  if (pickle === undefined || pickles.length > 1) {
    throw new UserError(`Cannot read weights from ${file.path}: it is a zip archive, but not one of torch.save.`);
  }
  const folder = pickle.slice(0, -"data.pkl".length);
  if (entries.has(`${folder}constants.pkl`)) {
    throw new UserError(`Cannot read weights from ${file.path}: it is a TorchScript program.`, {
      hint: "Save the model's state dict with torch.save.",
    });
  }
  const order = entries.get(`${folder}byteorder`);
  if (order && order.size < 16) {
    const text = new TextDecoder().decode(await readZipEntry(file, order));
    if (text !== "little") throw bigEndian(file.path, text);
  }
  const pickleEntry = entries.get(pickle) as ZipEntry;
  if (pickleEntry.size > MAX_PICKLE) throw damaged(file.path, `its pickle has ${pickleEntry.size} bytes`);
  const { value } = unpickle(await readZipEntry(file, pickleEntry), 0, file.path);
  const readStorage = async ({ key }: PyStorage, bytes: number) => {
    const entry = entries.get(`${folder}data/${key}`);
    if (!entry) throw damaged(file.path, `the storage ${quoted(key)} is missing`);
    if (entry.size !== bytes) {
      throw damaged(file.path, `the storage ${quoted(key)} claims ${bytes} bytes but has ${entry.size}`);
    }
    return readZipEntry(file, entry);
  };
  return { value, readStorage };
}

function bigEndian(path: string, order: string): UserError {
  return new UserError(`Cannot read ${path}: its byte order is ${quoted(order)}, not "little".`, {
    hint: "Load it with torch.load and save it again on a little-endian machine, such as any PC.",
  });
}

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/** Bytes an element has, by storage type. */
const ITEM_BYTES: Record<string, number> = {
  DoubleStorage: 8,
  FloatStorage: 4,
  HalfStorage: 2,
  BFloat16Storage: 2,
  LongStorage: 8,
  IntStorage: 4,
  ShortStorage: 2,
  CharStorage: 1,
  ByteStorage: 1,
  BoolStorage: 1,
  UntypedStorage: 1,
  ComplexFloatStorage: 8,
  ComplexDoubleStorage: 16,
  QInt8Storage: 1,
  QUInt8Storage: 1,
  QInt32Storage: 4,
};

async function openLegacy(file: FileReader): Promise<TorchFile> {
  const bytes = await file.read(0, Math.min(file.size, MAX_PICKLE));
  let at = 0;
  const next = (): PyValue => {
    const { value, end } = unpickle(bytes, at, file.path);
    at = end;
    return value;
  };
  if (next() !== MAGIC)
    throw new UserError(`Cannot read weights from ${file.path}: it is a pickle, but not one of torch.save.`);
  const protocol = next();
  if (protocol !== PROTOCOL) throw damaged(file.path, "its torch format has an unknown version");
  const system = next();
  if (system instanceof Map && system.get("little_endian") === false) throw bigEndian(file.path, "big");
  const value = next();
  const keys = next();
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === "string")) {
    throw damaged(file.path, "its list of storages is not valid");
  }

  const types = storageTypes(value);
  const places = new Map<string, { offset: number; bytes: number }>();
  for (const key of keys as string[]) {
    const type = types.get(key) ?? "";
    const width = Object.hasOwn(ITEM_BYTES, type) ? ITEM_BYTES[type] : undefined;
    if (!width) throw damaged(file.path, `the storage ${quoted(key)} has the type ${quoted(type)}`);
    const count = new DataView((await file.read(at, 8)).buffer).getBigInt64(0, true);
    const length = Number(count) * width;
    if (length < 0 || at + 8 + length > file.size) throw damaged(file.path, "it ends before its contents do");
    places.set(key, { offset: at + 8, bytes: length });
    at += 8 + length;
  }
  const readStorage = async ({ key }: PyStorage, length: number) => {
    const place = places.get(key);
    if (!place) throw damaged(file.path, `the storage ${quoted(key)} is missing`);
    if (place.bytes !== length) {
      throw damaged(file.path, `the storage ${quoted(key)} claims ${length} bytes but has ${place.bytes}`);
    }
    return file.read(place.offset, length);
  };
  return { value, readStorage };
}

/** The type of each storage that the value's tensors refer to. Each object is visited once, without recursion. */
function storageTypes(value: PyValue): Map<string, string> {
  const types = new Map<string, string>();
  const seen = new Set<PyValue>();
  const left: PyValue[] = [value];
  while (left.length > 0) {
    const item = left.pop() as PyValue;
    if (typeof item !== "object" || item === null || seen.has(item)) continue;
    seen.add(item);
    if (Array.isArray(item)) for (const child of item) left.push(child);
    else if (item instanceof Map) for (const pair of item) left.push(pair[0], pair[1]);
    else if (isTagged(item, "tuple")) for (const child of item.items) left.push(child);
    else if (isTagged(item, "namespace")) left.push(item.fields);
    else if (isTagged(item, "tensor")) types.set(item.storage.key, item.storage.type);
    else if (isTagged(item, "storage")) types.set(item.key, item.type);
  }
  return types;
}
