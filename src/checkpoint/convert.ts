// Weights from .pth to .safetensors and back, with their metadata.

import { existsSync } from "node:fs";
import { variantOfShapes } from "../architecture/fields.ts";
import type { VariantName } from "../architecture/variants.ts";
import { UserError } from "../util/errors.ts";
import { type StateDict, size } from "../util/hostTensor.ts";
import { checkWritable, readWeightsFile, type WeightsKind, writeWeightsFile } from "./weightsFile.ts";

export type Conversion = {
  in: string;
  out: string;
  kind: WeightsKind;
  tensors: number;
  parameters: number;
  modelName: string | null;
  classNames: string[] | null;
};

/** Read weights and write them in the form that the extension of `output` asks for. Throws a UserError where that cannot be. */
export async function convertWeights(
  input: string,
  output: string,
  { force = false, ema = false }: { force?: boolean; ema?: boolean } = {},
): Promise<Conversion> {
  checkWritable(output);
  if (!force && existsSync(output)) {
    throw new UserError(`${output} is there already.`, { hint: "Give --force to replace it, or another name." });
  }
  const { kind, tensors, metadata } = await readWeightsFile(input, { part: ema ? "ema_model" : "model" });
  const modelName = metadata.modelName ?? referenceClass(tensors) ?? null;
  await writeWeightsFile(output, tensors, { ...metadata, ...(modelName !== null && { modelName }) });
  const parameters = [...tensors.values()].reduce((sum, { shape }) => sum + size(shape), 0);
  const { classNames = null } = metadata;
  return { in: input, out: output, kind, tensors: tensors.size, parameters, modelName, classNames };
}

/** The class of the reference that has such tensors, of those that its `from_checkpoint` knows: it goes by the name. */
function referenceClass(tensors: StateDict): string | undefined {
  const variant = variantOfShapes(new Map([...tensors].map(([name, { shape }]) => [name, shape])));
  return variant && CLASSES[variant];
}

const CLASSES: Partial<Record<VariantName, string>> = {
  nano: "RFDETRNano",
  small: "RFDETRSmall",
  medium: "RFDETRMedium",
  large: "RFDETRLarge",
  base: "RFDETRBase",
  "seg-preview": "RFDETRSegPreview",
  "seg-nano": "RFDETRSegNano",
  "seg-small": "RFDETRSegSmall",
  "seg-medium": "RFDETRSegMedium",
  "seg-large": "RFDETRSegLarge",
  "seg-xlarge": "RFDETRSegXLarge",
  "seg-2xlarge": "RFDETRSeg2XLarge",
};
