// Weights files of either kind behind one type: tensors under the reference's names, and what the file says about them.

import { extname } from "node:path";
import { UserError } from "../util/errors.ts";
import type { StateDict } from "../util/hostTensor.ts";
import { isObject, parseJson } from "../util/untrusted/json.ts";
import { damaged, type FileReader, withFile } from "./fileReader.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";
import type { Json } from "./torch/plain.ts";
import { readPth } from "./torch/pth.ts";
import { writePth } from "./torch/pthWrite.ts";

/** What a weights file says beside its tensors; every part may be absent. */
export type WeightsMetadata = {
  /** Fields of the reference's ModelConfig, snake_case. In a safetensors file: `architecture`. */
  modelConfig?: Record<string, Json>;
  /** Training arguments: num_queries, group_detr, class_names, ... */
  args?: Record<string, Json>;
  /** By label. */
  classNames?: string[];
  /** The data set's own category id of each label. */
  categoryIds?: number[];
  /** The reference's class, for instance "RFDETRNano". */
  modelName?: string;
  epoch?: number;
  /** Whatever else the file holds that is a number, a text or a boolean. */
  extra?: Record<string, Json>;
};

export type WeightsKind = "safetensors" | "best-model" | "legacy" | "lightning" | "bare";
export type WeightsFile = { kind: WeightsKind; tensors: StateDict; metadata: WeightsMetadata };

/**
 * Read a .safetensors, .pth or .ckpt file; the content decides which it is, not the name.
 * `part: "ema_model"` takes the averaged weights of a .pth file that has both.
 * @throws UserError that names the file and says what it is instead
 */
export async function readWeightsFile(
  path: string,
  { part = "model" }: { part?: "model" | "ema_model" } = {},
): Promise<WeightsFile> {
  if ((await withFile(path, sniff)) === "safetensors") {
    if (part !== "model") throw new UserError(`Cannot read weights from ${path}: a safetensors file has no "${part}".`);
    const { tensors, metadata } = await readSafetensors(path);
    return { kind: "safetensors", tensors: unwrapped(path, tensors), metadata: fromText(path, metadata) };
  }
  const { kind, tensors, args, modelConfig, modelName, epoch, extra } = await readPth(path, { part });
  const { category_ids: ids, ...rest } = extra;
  const metadata: WeightsMetadata = {
    ...(modelConfig && { modelConfig }),
    ...(args && { args }),
    ...names(args?.class_names),
    ...categoryIds(ids ?? args?.category_ids),
    ...(modelName !== undefined && { modelName }),
    ...(epoch !== undefined && { epoch }),
    ...(Object.keys(rest).length > 0 && { extra: rest }),
  };
  return { kind, tensors: unwrapped(path, tensors), metadata };
}

/** What PyTorch puts into the names of a model that it wraps: data parallelism, compilation, averaging, sharding. */
const WRAPPERS = new Set(["module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"]);

/** The tensors without the parts of their names that only say in what the model was wrapped when it was saved. */
function unwrapped(path: string, tensors: StateDict): StateDict {
  const bare = (name: string) => name.split(".").filter((part) => !WRAPPERS.has(part)).join("."); // biome-ignore format: one line
  const names = [...tensors.keys()].map(bare);
  const inModel = names.length > 0 && names.every((name) => name.startsWith("model."));
  const result: StateDict = new Map();
  for (const [name, tensor] of tensors) {
    const own = inModel ? bare(name).slice("model.".length) : bare(name);
    if (result.has(own))
      throw new UserError(`Cannot read weights from ${path}: it holds ${own} twice, wrapped and unwrapped.`, {
        hint: "Save one of the two models only.",
      });
    result.set(own, tensor);
  }
  return result;
}

function names(value: Json | undefined): { classNames?: string[] } {
  if (typeof value === "string") return { classNames: [value] };
  const texts = Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];
  return texts.length > 0 ? { classNames: texts } : {};
}

function categoryIds(value: Json | undefined): { categoryIds?: number[] } {
  const valid = Array.isArray(value) && value.every((id) => Number.isSafeInteger(id));
  return valid ? { categoryIds: value as number[] } : {};
}

/** The first bytes say what a file is, and what a failed download left. */
async function sniff(file: FileReader): Promise<"safetensors" | "torch"> {
  const { path, size } = file;
  const bad = (what: string, hint: string) => new UserError(`Cannot read weights from ${path}: ${what}.`, { hint });
  if (size === 0) throw bad("the file is empty", "Download or copy it again.");
  const head = await file.read(0, Math.min(size, 512));
  const text = new TextDecoder("latin1").decode(head);
  // First, as the length that a safetensors file starts with may look like the first bytes of the others.
  if (size > 9 && head[8] === 0x7b && new DataView(head.buffer).getUint32(4, true) === 0) return "safetensors";
  if (text.startsWith("PK") || head[0] === 0x80) return "torch";
  if (/^\s*(?:<!doctype|<html|<\?xml|<head)/i.test(text)) {
    throw bad("it is a web page", "The download brought an error page. Download the file itself.");
  }
  if (text.startsWith("version https://git-lfs")) throw bad("it is a Git LFS pointer", 'Run "git lfs pull".');
  if (text.startsWith("\x1f\x8b")) throw bad("it is compressed with gzip", "Unpack it first.");
  if (text.slice(257, 262) === "ustar") throw bad("it is a tar archive", "Unpack it first.");
  throw bad("it is neither a .pth nor a .safetensors file", "Give a file that torch.save or safetensors wrote.");
}

/** Keys of our safetensors files; their values are JSON. Other keys stay what they are: text. */
const JSON_KEYS = ["architecture", "args", "class_names", "category_ids", "epoch", "other"];
const RESERVED = [...JSON_KEYS, "format", "model_name"];

export function fromText(path: string, text: Record<string, string>): WeightsMetadata {
  const parsed: Record<string, Json> = {};
  for (const key of JSON_KEYS) {
    const value = text[key];
    if (value === undefined) continue;
    try {
      parsed[key] = parseJson(value, `Metadata "${key}" of ${path}`) as Json;
    } catch {
      // Another program may mean something else by the other keys; then they stay text.
      if (key === "architecture") throw damaged(path, `its metadata "${key}" is not valid JSON`);
    }
  }
  const rest = Object.entries(text).filter(
    ([key]) => !["format", "model_name"].includes(key) && !Object.hasOwn(parsed, key),
  );
  const record = (value: Json | undefined) => (isObject(value) ? value : undefined);
  const [modelConfig, args] = [record(parsed.architecture), record(parsed.args)];
  const extra = { ...Object.fromEntries(rest), ...record(parsed.other) };
  return {
    ...(modelConfig && { modelConfig }),
    ...(args && { args }),
    ...names(parsed.class_names ?? args?.class_names),
    ...categoryIds(parsed.category_ids),
    ...(text.model_name !== undefined && { modelName: text.model_name }),
    ...(typeof parsed.epoch === "number" && { epoch: parsed.epoch }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

/** The text metadata of a safetensors file. Python's readers expect `format`. */
export function toText(metadata: WeightsMetadata): Record<string, string> {
  const { modelConfig, args, classNames, categoryIds, modelName, epoch, extra } = metadata;
  const text: Record<string, string> = { format: "pt" };
  const other: Record<string, Json> = {};
  for (const [key, value] of Object.entries(extra ?? {})) {
    if (typeof value === "string" && !RESERVED.includes(key)) text[key] = value;
    else other[key] = value;
  }
  if (Object.keys(other).length > 0) text.other = JSON.stringify(other);
  if (modelConfig) text.architecture = JSON.stringify(modelConfig);
  if (args) text.args = JSON.stringify(args);
  if (classNames) text.class_names = JSON.stringify(classNames);
  if (categoryIds) text.category_ids = JSON.stringify(categoryIds);
  if (modelName !== undefined) text.model_name = modelName;
  if (epoch !== undefined) text.epoch = JSON.stringify(epoch);
  return text;
}

/** The top-level entries of a .pth file beside `model`, in the layout of the reference's best-model files. */
function toFields(metadata: WeightsMetadata): Record<string, Json> {
  const { modelConfig, args, classNames, categoryIds, modelName, epoch, extra } = metadata;
  // The reference's loader takes these from `args`: how the query embeddings are grouped, and the names of the classes.
  const fromConfig = ["num_queries", "group_detr", "patch_size", "num_classes", "segmentation_head"]
    .filter((key) => modelConfig?.[key] !== undefined)
    .map((key) => [key, modelConfig?.[key] as Json]);
  const sorted = Object.entries(extra ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...Object.fromEntries(sorted),
    args: { ...Object.fromEntries(fromConfig), ...args, ...(classNames && { class_names: classNames }) },
    ...(modelConfig && { model_config: modelConfig }),
    ...(categoryIds && { category_ids: categoryIds }),
    ...(modelName !== undefined && { model_name: modelName }),
    ...(epoch !== undefined && { epoch }),
  };
}

const WRITERS: Record<string, (path: string, tensors: StateDict, metadata: WeightsMetadata) => Promise<void>> = {
  ".safetensors": (path, tensors, metadata) => writeSafetensors(path, tensors, toText(metadata)),
  ".pth": (path, tensors, metadata) => writePth(path, tensors, toFields(metadata)),
  ".pt": (path, tensors, metadata) => writePth(path, tensors, toFields(metadata)),
};

/** Throws a UserError where the extension is none that we write. */
export function checkWritable(path: string): void {
  const extension = extname(path).toLowerCase();
  if (Object.hasOwn(WRITERS, extension)) return;
  throw new UserError(`Cannot write weights to ${path}: the extension "${extension}" is not known.`, {
    hint: "Use .safetensors or .pth.",
  });
}

/** Write weights; the extension (.safetensors, .pth or .pt) decides how. Whole or not at all, deterministic bytes. */
export async function writeWeightsFile(
  path: string,
  tensors: StateDict,
  metadata: WeightsMetadata = {},
): Promise<void> {
  checkWritable(path);
  await WRITERS[extname(path).toLowerCase()]?.(path, tensors, metadata);
}
