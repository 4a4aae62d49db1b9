// `rfdetr-train convert IN OUT`: weights from .pth to .safetensors and back, with their metadata.

import { existsSync } from "node:fs";
import type { CommandModule } from "yargs";
import type { VariantName } from "../../architecture/variants.ts";
import type { WeightsKind } from "../../checkpoint/weightsFile.ts";
import { UserError } from "../../util/errors.ts";
import { type StateDict, size } from "../../util/hostTensor.ts";

type Arguments = { in: string; out: string; force: boolean; ema: boolean; json: boolean };

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
  const { checkWritable, readWeightsFile, writeWeightsFile } = await import("../../checkpoint/weightsFile.ts");
  checkWritable(output);
  if (!force && existsSync(output)) {
    throw new UserError(`${output} is there already.`, { hint: "Give --force to replace it, or another name." });
  }
  const { kind, tensors, metadata } = await readWeightsFile(input, { part: ema ? "ema_model" : "model" });
  const modelName = metadata.modelName ?? (await referenceClass(tensors)) ?? null;
  await writeWeightsFile(output, tensors, { ...metadata, ...(modelName !== null && { modelName }) });
  const parameters = [...tensors.values()].reduce((sum, { shape }) => sum + size(shape), 0);
  const { classNames = null } = metadata;
  return { in: input, out: output, kind, tensors: tensors.size, parameters, modelName, classNames };
}

/** The class of the reference that has such tensors, of those that its `from_checkpoint` knows: it goes by the name. */
async function referenceClass(tensors: StateDict): Promise<string | undefined> {
  const { variantOfShapes } = await import("../../architecture/fields.ts");
  const variant = variantOfShapes(new Map([...tensors].map(([name, { shape }]) => [name, shape])));
  return variant && CLASSES[variant];
}

const CLASSES: Partial<Record<VariantName, string>> = {
  nano: "RFDETRNano",
  small: "RFDETRSmall",
  medium: "RFDETRMedium",
  large: "RFDETRLarge",
  base: "RFDETRBase",
};

export const convertCommand: CommandModule<object, Arguments> = {
  command: "convert <in> <out>",
  describe: "convert weights between .pth and .safetensors, in the reference's names and layout",
  builder: (yargs) =>
    yargs
      .positional("in", { type: "string", demandOption: true, describe: "a .pth, .ckpt or .safetensors file" })
      .positional("out", { type: "string", demandOption: true, describe: "a .safetensors or .pth file to write" })
      .option("force", { type: "boolean", default: false, describe: "replace OUT if it is there" })
      .option("ema", { type: "boolean", default: false, describe: "take the averaged weights (ema_model) of IN" })
      .option("json", { type: "boolean", default: false, describe: "print the result as JSON" }),
  handler: async ({ in: input, out, force, ema, json }) => {
    const result = await convertWeights(input, out, { force, ema });
    const rows: [string, string][] = [
      ["read", `${result.in} (${result.kind})`],
      ["wrote", result.out],
      ["tensors", `${result.tensors}, ${result.parameters.toLocaleString("en")} numbers`],
      ["model", result.modelName ?? "not said"],
      ["classes", result.classNames?.join(", ") ?? "not said"],
    ];
    const table = rows.map(([name, value]) => `${name.padEnd(9)}${value}`).join("\n");
    process.stdout.write(`${json ? JSON.stringify(result) : table}\n`);
  },
};
