// `rfdetr-train convert IN OUT`: weights from .pth to .safetensors and back, with their metadata.

import type { CommandModule } from "yargs";
import { JSON_OPTION } from "../options.ts";
import { printResult } from "../terminal/print.ts";
import { factTable } from "../terminal/table.ts";

type Arguments = { in: string; out: string; force: boolean; ema: boolean; json: boolean };

export const convertCommand: CommandModule<object, Arguments> = {
  command: "convert <in> <out>",
  describe: "convert weights between .pth and .safetensors, in the reference's names and layout",
  builder: (yargs) =>
    yargs
      .positional("in", { type: "string", demandOption: true, describe: "a .pth, .ckpt or .safetensors file" })
      .positional("out", { type: "string", demandOption: true, describe: "a .safetensors or .pth file to write" })
      .option("force", { type: "boolean", default: false, describe: "replace OUT if it is there" })
      .option("ema", { type: "boolean", default: false, describe: "take the averaged weights (ema_model) of IN" })
      .option("json", JSON_OPTION),
  handler: async ({ in: input, out, force, ema, json }) => {
    const { convertWeights } = await import("../../checkpoint/convert.ts");
    const result = await convertWeights(input, out, { force, ema });
    const rows: [string, string][] = [
      ["read", `${result.in} (${result.kind})`],
      ["wrote", result.out],
      ["tensors", `${result.tensors}, ${result.parameters.toLocaleString("en")} numbers`],
      ["model", result.modelName ?? "not said"],
      ["classes", result.classNames?.join(", ") ?? "not said"],
    ];
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else printResult(factTable(rows).join("\n"));
  },
};
