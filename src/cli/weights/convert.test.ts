import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import yargs from "yargs";
import { readWeightsFile, writeWeightsFile } from "../../checkpoint/weightsFile.ts";
import { UserError } from "../../util/errors.ts";
import { fromFloat32, size } from "../../util/hostTensor.ts";
import { convertCommand } from "./convert.ts";

const FIXTURES = new URL("../../../tests/fixtures/checkpoint/", import.meta.url).pathname;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "convert-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Run the command as the shell would; returns what it printed. */
async function run(...args: string[]): Promise<string> {
  let printed = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += text;
    return true;
  });
  try {
    await yargs(["convert", ...args])
      .command(convertCommand)
      .exitProcess(false)
      .fail((_message, error) => {
        throw error;
      })
      .parseAsync();
  } finally {
    write.mockRestore();
  }
  return printed;
}

it("converts a reference checkpoint to safetensors and back without changing a bit or losing its metadata", async () => {
  const [input, middle, back] = [join(FIXTURES, "best.pth"), join(folder, "m.safetensors"), join(folder, "b.pth")];
  const result = JSON.parse(await run(input, middle, "--json"));
  expect(result).toMatchObject({
    kind: "best-model",
    tensors: 4,
    modelName: "RFDETRNano",
    classNames: ["a", "b", "c"],
  });
  expect(await run(middle, back)).toMatch(/wrote +.*b\.pth/);
  const [before, after] = [await readWeightsFile(input), await readWeightsFile(back)];
  expect([...after.tensors]).toEqual([...before.tensors]);
  expect(after.metadata).toEqual({ ...before.metadata, args: after.metadata.args });
  expect(after.metadata.args).toMatchObject({ ...before.metadata.args, num_queries: 3, group_detr: 2 });
});

it("names the reference's class where the shapes tell it, so that the reference can load the file by itself", async () => {
  const shapes: Record<string, number[]> = {
    "backbone.0.encoder.encoder.embeddings.patch_embeddings.projection.weight": [384, 3, 16, 16],
    "backbone.0.encoder.encoder.embeddings.position_embeddings": [1, 577, 384],
    "transformer.decoder.layers.0.norm1.weight": [256],
    "transformer.decoder.layers.1.norm1.weight": [256],
    "transformer.decoder.layers.0.cross_attn.attention_weights.bias": [32],
    "class_embed.weight": [3, 256],
  };
  const zeros = (shape: number[]) => fromFloat32(new Float32Array(size(shape)), shape);
  const tensors = new Map(Object.entries(shapes).map(([name, shape]) => [name, zeros(shape)]));
  const [input, output] = [join(folder, "nano.safetensors"), join(folder, "nano.pth")];
  await writeWeightsFile(input, tensors, { classNames: ["a", "b"] });
  await run(input, output);
  expect((await readWeightsFile(output)).metadata).toMatchObject({ modelName: "RFDETRNano", classNames: ["a", "b"] });
});

it("takes the averaged weights on request", async () => {
  const output = join(folder, "ema.safetensors");
  await run(join(FIXTURES, "namespace.pth"), output, "--ema");
  const model = await readWeightsFile(join(FIXTURES, "namespace.pth"));
  expect([...(await readWeightsFile(output)).tensors]).not.toEqual([...model.tensors]);
});

it("does not replace a file unless it is forced to, nor after a failed read", async () => {
  const output = join(folder, "there.pth");
  await writeFile(output, "precious");
  const input = join(FIXTURES, "best.pth");
  await expect(run(input, output)).rejects.toThrow(/there already/);
  await expect(run(join(FIXTURES, "hostile-eval.pth"), output, "--force")).rejects.toThrow(/eval/);
  expect(await readFile(output, "utf8")).toBe("precious");
  await run(input, output, "--force");
  expect((await readWeightsFile(output)).tensors.size).toBe(4);
});

it("refuses an extension that it cannot write before it reads anything", async () => {
  await expect(run(join(folder, "missing.pth"), join(folder, "out.onnx"))).rejects.toThrow(UserError);
  await expect(run(join(folder, "missing.pth"), join(folder, "out.onnx"))).rejects.toThrow(/\.onnx/);
});
