// Reading weights that torch.save wrote: the zip format, the one before it, and the layouts of RF-DETR's checkpoints (rfdetr/models/weights.py).

import { UserError } from "../../util/errors.ts";
import { BYTES, type DType, type StateDict, size } from "../../util/hostTensor.ts";
import { damaged, type FileReader, quoted, withFile } from "../fileReader.ts";
import { isTagged, type PyStorage, type PyTensor, type PyValue } from "./pickleValues.ts";
import { type Json, plainRecord } from "./plain.ts";
import { openTorchFile } from "./torchFile.ts";

/** Where the weights stood in the file: `model` of a best-model or published file, `state_dict` of Lightning, or the top level. */
type PthKind = "best-model" | "legacy" | "lightning" | "bare";

export type PthFile = {
  kind: PthKind;
  /** By the reference's names, in the file's order. */
  tensors: StateDict;
  /** Training arguments, from a Namespace or a dict: class_names, num_queries, group_detr, ... */
  args: Record<string, Json> | undefined;
  /** The reference's ModelConfig fields. */
  modelConfig: Record<string, Json> | undefined;
  /** For instance "RFDETRNano". */
  modelName: string | undefined;
  epoch: number | undefined;
  /** `category_ids`, and all further top-level values that are a number, a text or a boolean, such as rfdetr_version. */
  extra: Record<string, Json>;
  /** Whether the file holds averaged weights, too, which `part: "ema_model"` reads. */
  hasEma: boolean;
};

/**
 * Read a .pth or .ckpt file. Only the tensors that are asked for are brought into memory, each with memory of its own.
 * No code of the file is run: what is no plain value, tensor or namespace is refused by its Python name.
 * @throws UserError that names the file
 */
export function readPth(path: string, { part = "model" as "model" | "ema_model" } = {}): Promise<PthFile> {
  return withFile(path, async (file) => {
    const { value, readStorage } = await openTorchFile(file);
    if (!(value instanceof Map)) throw noWeights(path, "it holds no dict");
    const { kind, weights } = findWeights(path, value, part);
    const args = value.get("args") ?? value.get("hyper_parameters");
    const extra = [...(kind === "bare" ? [] : value)].filter(([key, item]) => {
      const simple = key === "category_ids" || ["string", "number", "boolean"].includes(typeof item);
      return typeof key === "string" && simple && key !== "model_name" && key !== "epoch";
    });
    const tensors = await materialise(file, weights, readStorage);
    const [modelName, epoch] = [value.get("model_name"), value.get("epoch")];
    return {
      kind,
      tensors,
      args: kind === "bare" ? undefined : plainRecord(path, args),
      modelConfig: kind === "bare" ? undefined : plainRecord(path, value.get("model_config")),
      modelName: typeof modelName === "string" ? modelName : undefined,
      epoch: typeof epoch === "number" ? epoch : undefined,
      extra: plainRecord(path, new Map(extra)) ?? {},
      hasEma: value.get("ema_model") instanceof Map,
    };
  });
}

function noWeights(path: string, why: string): UserError {
  return new UserError(`Cannot read weights from ${path}: ${why}.`, {
    hint: "Give a file that RF-DETR wrote, or a state dict saved with torch.save.",
  });
}

function findWeights(path: string, top: Map<PyValue, PyValue>, part: "model" | "ema_model") {
  const model = top.get(part);
  if (part === "ema_model" && !(model instanceof Map)) throw noWeights(path, 'it has no "ema_model"');
  const state = top.get("state_dict");
  let kind: PthKind = "bare";
  let source: Map<PyValue, PyValue> = top;
  if (model instanceof Map) {
    kind = top.get("model_config") instanceof Map ? "best-model" : "legacy";
    source = model;
  } else if (state instanceof Map) {
    kind = "lightning";
    source = state;
  }
  const weights = new Map<string, PyTensor>();
  for (const [key, value] of source) {
    if (typeof key !== "string") throw noWeights(path, "a tensor's name is no text");
    if (!isTagged(value, "tensor")) {
      if (kind === "bare")
        throw noWeights(path, `it has neither "model" nor "state_dict", and ${quoted(key)} is no tensor`);
      throw noWeights(path, `${quoted(key)} of its weights is no tensor`);
    }
    if (key.includes(".base_model.model.")) {
      throw new UserError(`Cannot read weights from ${path}: they hold LoRA adapters (${quoted(key)}).`, {
        hint: "Load the file with the reference, merge the adapters, and save the merged model.",
      });
    }
    if (kind !== "lightning") weights.set(key, value);
    else if (key.startsWith("model.")) weights.set(key.slice(6), value);
  }
  if (weights.size === 0) {
    throw noWeights(
      path,
      kind === "lightning" ? 'its state_dict has no name that starts with "model."' : "it holds no tensor",
    );
  }
  return { kind, weights };
}

/** Element types by torch's storage types and by its names of element types. */
const DTYPES: Record<string, DType> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
  "torch.float64": "F64",
  "torch.float32": "F32",
  "torch.float16": "F16",
  "torch.bfloat16": "BF16",
  "torch.int64": "I64",
  "torch.int32": "I32",
  "torch.int16": "I16",
  "torch.int8": "I8",
  "torch.uint8": "U8",
  "torch.bool": "BOOL",
};

type View = { name: string; tensor: PyTensor; dtype: DType; count: number };

async function materialise(
  file: FileReader,
  weights: Map<string, PyTensor>,
  readStorage: (storage: PyStorage, bytes: number) => Promise<Uint8Array>,
): Promise<StateDict> {
  const result: StateDict = new Map();
  const views = new Map<string, View[]>(); // by storage, so that each is read once and let go
  let total = 0;
  for (const [name, tensor] of weights) {
    const view = checkedView(file.path, name, tensor);
    total += view.count * BYTES[view.dtype];
    // Views may share and repeat memory, but not without end: an expanded tensor of one element could claim any size.
    if (total > 64 * 2 ** 20 + 4 * file.size) throw damaged(file.path, `its tensors claim ${total} bytes or more`);
    result.set(name, { dtype: view.dtype, shape: tensor.shape, bytes: NOTHING }); // fixes the order
    const group = views.get(tensor.storage.key);
    if (group) group.push(view);
    else views.set(tensor.storage.key, [view]);
  }
  for (const group of views.values()) {
    const [{ tensor, dtype }] = group as [View];
    const { storage } = tensor;
    const itemBytes = BYTES[DTYPES[storage.type] ?? (storage.type === "UntypedStorage" ? "U8" : dtype)];
    for (const { name, tensor: other } of group) {
      if (other.storage.numel !== storage.numel || other.storage.type !== storage.type) {
        throw damaged(file.path, `tensor ${quoted(name)} describes its storage in another way than its neighbours`);
      }
    }
    const bytes = await readStorage(storage, storage.numel * itemBytes);
    for (const view of group) {
      const own = group.length === 1 ? bytes : undefined;
      result.set(view.name, { dtype: view.dtype, shape: view.tensor.shape, bytes: gather(view, bytes, own) });
    }
  }
  return result;
}

const NOTHING = new Uint8Array(0);

function checkedView(path: string, name: string, tensor: PyTensor): View {
  const type = tensor.dtype ?? tensor.storage.type;
  const dtype = Object.hasOwn(DTYPES, type) ? DTYPES[type] : undefined;
  if (!dtype) {
    throw new UserError(`Cannot read ${path}: tensor ${quoted(name)} has the element type ${quoted(type)}.`, {
      hint: `Known types: ${Object.keys(BYTES).join(", ")}.`,
    });
  }
  const { shape, strides, offset, storage } = tensor;
  const count = size(shape);
  const last = shape.reduce((at, n, axis) => at + (n - 1) * (strides[axis] as number), offset);
  const have = tensor.dtype === undefined ? storage.numel : Math.floor(storage.numel / BYTES[dtype]);
  if (!Number.isSafeInteger(count) || (count > 0 && !(last < have))) {
    throw damaged(path, `tensor ${quoted(name)} of shape [${shape}] reaches beyond its storage`);
  }
  return { name, tensor, dtype, count };
}

/** The elements of a view in row-major order. `own` is the storage where nobody else needs it: a whole one is not copied. */
function gather({ tensor, dtype, count }: View, storage: Uint8Array, own: Uint8Array | undefined): Uint8Array {
  const width = BYTES[dtype];
  const { shape, strides, offset } = tensor;
  if (count === 0) return NOTHING;
  let expected = 1;
  let contiguous = true;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] as number;
    if (length !== 1 && strides[axis] !== expected) contiguous = false;
    expected *= length;
  }
  if (contiguous) {
    const [from, to] = [offset * width, (offset + count) * width];
    return own && from === 0 && to === storage.length ? own : storage.slice(from, to);
  }
  const out = new Uint8Array(count * width);
  const index = shape.map(() => 0);
  let at = offset;
  for (let i = 0; i < count; i++) {
    const from = at * width;
    for (let b = 0; b < width; b++) out[i * width + b] = storage[from + b] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      at += strides[axis] as number;
      index[axis] = next;
      if (next < (shape[axis] as number)) break;
      at -= next * (strides[axis] as number);
      index[axis] = 0;
    }
  }
  return out;
}
