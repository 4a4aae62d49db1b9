import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../util/errors.ts";
import { BYTES, type DType, type StateDict, size } from "../util/hostTensor.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";
import { readPth } from "./torch/pth.ts";
import { readWeightsFile, type WeightsMetadata, writeWeightsFile } from "./weightsFile.ts";

const FIXTURES = new URL("../../tests/fixtures/checkpoint/", import.meta.url).pathname;
type Row = { name: string; dtype: DType; shape: number[]; hex: string };
type Expected = { error?: string; tensors?: Row[]; kind?: string; [more: string]: unknown };
const EXPECTED = JSON.parse(await readFile(join(FIXTURES, "expected.json"), "utf8")) as Record<string, Expected>;
const GOOD = Object.entries(EXPECTED).filter(([, { error }]) => error === undefined);
const BAD = Object.entries(EXPECTED).filter(([, { error }]) => error !== undefined);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weights-"));
});
afterAll(() => rm(folder, { recursive: true }));

const rows = (tensors: StateDict): Row[] =>
  [...tensors].map(([name, { dtype, shape, bytes }]) => {
    return { name, dtype, shape, hex: Buffer.from(bytes).toString("hex") };
  });

/** The error of a read that must fail as a user can mend it. */
async function refusal(path: string): Promise<UserError> {
  const error = await readWeightsFile(path).then(
    () => new Error(`${path} was read`),
    (cause) => cause,
  );
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toContain(path);
  return error;
}

describe("files that torch and safetensors wrote", () => {
  it.each(GOOD)("%s gives the tensors that Python sees, to the bit", async (file, { tensors, kind, args, ...more }) => {
    const found = await readWeightsFile(join(FIXTURES, file));
    const byName = (a: Row, b: Row) => (a.name < b.name ? -1 : 1);
    expect(rows(found.tensors).sort(byName)).toEqual([...(tensors as Row[])].sort(byName));
    if (file !== "types.safetensors")
      expect([...found.tensors.keys()].sort()).toEqual(tensors?.map((t) => t.name).sort());
    expect(found.kind).toBe(kind);
    if (args) expect(found.metadata.args).toEqual(args);
    for (const [key, value] of Object.entries(more))
      expect(found.metadata[key as keyof WeightsMetadata]).toEqual(value);
  });

  it.each([
    ["module.", "of data parallelism"],
    ["_orig_mod.", "of a compiled model"],
    ["model.module._orig_mod.", "of all of them"],
    ["module.model.", "of Lightning in a wrapper"],
  ])("takes %s out of the names (%s), also in their middle", async (prefix) => {
    const { tensors } = await readWeightsFile(join(FIXTURES, "best.pth"));
    const names = [...tensors.keys()];
    for (const extension of ["pth", "safetensors"]) {
      const path = join(folder, `wrapped.${extension}`);
      const wrapped = new Map([...tensors].map(([name, tensor], i) => [prefix + (i % 2 ? name : name.replace(".", "._orig_mod.")), tensor])); // biome-ignore format: one line
      await writeWeightsFile(path, wrapped, {});
      expect([...(await readWeightsFile(path)).tensors.keys()].sort()).toEqual([...names].sort());
    }
    const both = new Map([...tensors, [`module.${names[0]}`, tensors.get(names[0]!)!]]);
    await writeWeightsFile(join(folder, "both.safetensors"), both, {});
    await expect(readWeightsFile(join(folder, "both.safetensors"))).rejects.toThrow(`it holds ${names[0]} twice`);
  });

  it("keeps the order of a state dict", async () => {
    const found = await readWeightsFile(join(FIXTURES, "best.pth"));
    expect([...found.tensors.keys()]).toEqual(EXPECTED["best.pth"]?.tensors?.map((t) => t.name));
  });

  it("reads the averaged weights where they are asked for, and says whether there are any", async () => {
    const path = join(FIXTURES, "namespace.pth");
    const model = await readPth(path);
    const ema = await readPth(path, { part: "ema_model" });
    expect(model.hasEma).toBe(true);
    expect([...ema.tensors.keys()]).toEqual([...model.tensors.keys()]);
    expect(rows(ema.tensors)).not.toEqual(rows(model.tensors));
    await expect(readPth(join(FIXTURES, "best.pth"), { part: "ema_model" })).rejects.toThrow(/no "ema_model"/);
  });

  it("gives class names, model name and configuration in one form", async () => {
    const { metadata } = await readWeightsFile(join(FIXTURES, "best.pth"));
    expect(metadata).toMatchObject({ classNames: ["a", "b", "c"], modelName: "RFDETRNano", epoch: 2 });
    expect(metadata.extra).toEqual({ rfdetr_version: "1.11.2", global_step: 14 });
    expect(metadata.modelConfig).toMatchObject({ hidden_dim: 8, projector_scale: ["P4"] });
  });
});

describe("hostile and damaged files", () => {
  it.each(BAD)("%s is refused: %o", async (file, { error }) => {
    expect((await refusal(join(FIXTURES, file))).message).toMatch(new RegExp(error as string));
  });

  it("leaves nothing behind where a name points outside", () => {
    expect(existsSync("/tmp/owned") || existsSync("/tmp/owned2")).toBe(false);
  });

  it("says what a folder and a missing file are", async () => {
    expect((await refusal(folder)).message).toMatch(/folder/);
    expect((await refusal(join(folder, "none.pth"))).message).toMatch(/no such file/);
  });

  const whole = ["types.pth", "views-legacy.pth", "namespace.pth", "deflated.pth", "zip64.pth", "types.safetensors"];
  it.each(whole)("%s cut short anywhere is refused", async (file) => {
    const bytes = await readFile(join(FIXTURES, file));
    const path = join(folder, file);
    for (let part = 0; part < 16; part++) {
      await writeFile(path, bytes.subarray(0, Math.floor((bytes.length * part) / 16)));
      await refusal(path);
    }
    for (let missing = 1; missing < 24; missing++) {
      await writeFile(path, bytes.subarray(0, bytes.length - missing));
      await refusal(path);
    }
  });

  it.each(whole)(
    "%s with random bytes changed is read or refused, never worse",
    async (file) => {
      const bytes = await readFile(join(FIXTURES, file));
      const path = join(folder, `flip-${file}`);
      const rng = rngFromSeed(whole.indexOf(file));
      for (let round = 0; round < 150; round++) {
        const changed = Uint8Array.from(bytes);
        for (let i = 0; i <= rng.int(3); i++) changed[rng.int(changed.length)] = rng.int(256);
        await writeFile(path, changed);
        const error = await readWeightsFile(path).catch((cause) => cause);
        if (error instanceof Error && !(error instanceof UserError)) throw error;
      }
    },
    30_000,
  );
});

/** A tensor of each type with random bytes, some empty and some without axes. */
function randomTensors(seed: number): StateDict {
  const rng = rngFromSeed(seed);
  const shapes = [[2, 3, 5], [7], [], [0, 4], [1, 1]];
  return new Map(
    Object.keys(BYTES).flatMap((dtype) =>
      shapes.map((shape, i) => {
        const bytes = Uint8Array.from({ length: size(shape) * BYTES[dtype as DType] }, () => {
          return dtype === "BOOL" ? rng.int(2) : rng.int(256);
        });
        return [`layer.${i}.${dtype}`, { dtype: dtype as DType, shape, bytes }] as const;
      }),
    ),
  );
}

const METADATA: WeightsMetadata = {
  modelConfig: {
    encoder: "dinov2_windowed_small",
    num_queries: 300,
    group_detr: 13,
    projector_scale: ["P4"],
    pretrain_weights: null,
  },
  args: {
    lr: 1e-4,
    epochs: 50,
    big: 2 ** 40,
    negative: -1.5,
    notes: 'größe "quoted"\n',
    nested: { list: [1, [2, true]], empty: {} },
  },
  classNames: ["tree", "Straße"],
  categoryIds: [3, 7],
  modelName: "RFDETRNano",
  epoch: 4,
  extra: { rfdetr_version: "1.11.2", global_step: 14, done: true },
};

describe("what we write", () => {
  it.each([".safetensors", ".pth", ".pt"])(
    "comes back from %s with every tensor, their order and the metadata",
    async (extension) => {
      const path = join(folder, `round${extension}`);
      const tensors = randomTensors(1);
      await writeWeightsFile(path, tensors, METADATA);
      const found = await readWeightsFile(path);
      expect(rows(found.tensors)).toEqual(rows(tensors));
      expect({ ...found.metadata, args: undefined }).toEqual({ ...METADATA, args: undefined });
      expect(found.metadata.args).toMatchObject(METADATA.args as object);
    },
  );

  it("does not change from .pth to .safetensors and back", async () => {
    const [a, b, c] = [join(folder, "a.pth"), join(folder, "b.safetensors"), join(folder, "c.pth")];
    await writeWeightsFile(a, randomTensors(2), METADATA);
    for (const [from, to] of [
      [a, b],
      [b, c],
    ] as const) {
      const { tensors, metadata } = await readWeightsFile(from);
      await writeWeightsFile(to, tensors, metadata);
    }
    expect(await readFile(c)).toEqual(await readFile(a));
  });

  it("is the same bytes each time", async () => {
    for (const extension of [".safetensors", ".pth"]) {
      const paths = ["one", "two"].map((name) => join(folder, name + extension)) as [string, string];
      for (const path of paths) await writeWeightsFile(path, randomTensors(3), METADATA);
      expect(await readFile(paths[0])).toEqual(await readFile(paths[1]));
    }
  });

  it("starts every storage of a .pth at a multiple of 64 bytes", async () => {
    const path = join(folder, "aligned.pth");
    const bytes = Uint8Array.from({ length: 40 }, (_, i) => 200 + i);
    await writeWeightsFile(path, new Map([0, 1, 2].map((i) => [`w${i}`, { dtype: "F32", shape: [10], bytes }])), {});
    const file = await readFile(path);
    let at = -1;
    for (let i = 0; i < 3; i++) {
      at = file.indexOf(bytes, at + 1);
      expect(at % 64).toBe(0);
    }
  });

  it("aligns the tensors of a safetensors file, and takes names such as __proto__ for names", async () => {
    const path = join(folder, "names.safetensors");
    const tensors: StateDict = new Map([
      ["__proto__", { dtype: "U8", shape: [3], bytes: Uint8Array.of(1, 2, 3) }],
      ["wide", { dtype: "F64", shape: [1], bytes: new Uint8Array(8).fill(9) }],
    ]);
    await writeSafetensors(path, tensors, { toString: "x" });
    const found = await readSafetensors(path);
    expect(rows(found.tensors)).toEqual(rows(tensors));
    expect(found.metadata).toEqual({ toString: "x" });
    expect((await readFile(path)).indexOf(new Uint8Array(8).fill(9)) % 8).toBe(0);
    expect(({} as Record<string, unknown>)["0"]).toBeUndefined();
  });

  it("is recognised whatever the length of a safetensors header looks like", async () => {
    const path = join(folder, "length.safetensors");
    const lengths = new Set<number>();
    for (let i = 0; i < 264; i += 8) {
      await writeWeightsFile(path, randomTensors(6), { modelName: "x".repeat(i) });
      lengths.add((await readFile(path))[0] as number);
      expect((await readWeightsFile(path)).metadata.modelName).toHaveLength(i);
    }
    expect(lengths).toContain(0x80);
  }, 30_000);

  it("tells the reference's loader how the queries are grouped", async () => {
    const path = join(folder, "args.pth");
    await writeWeightsFile(path, randomTensors(4), METADATA);
    expect((await readPth(path)).args).toMatchObject({
      num_queries: 300,
      group_detr: 13,
      class_names: METADATA.classNames,
    });
  });

  it("refuses an extension it does not know, and a folder that cannot be written", async () => {
    await expect(writeWeightsFile(join(folder, "x.bin"), randomTensors(5))).rejects.toThrow(UserError);
    await expect(writeWeightsFile("/dev/null/x.pth", randomTensors(5))).rejects.toThrow(UserError);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});
