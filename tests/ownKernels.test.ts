import { spawnSync } from "node:child_process";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { loadBackend, rawOp, rawOps } from "../src/engine/backend.ts";
import { hasKernels, withPlainOperations } from "../src/engine/ownKernels.ts";
import { createRecorder } from "../src/engine/recording/recorder.ts";
import { gelu } from "../src/ops/activation.ts";
import { scaledDotProduct } from "../src/ops/attention.ts";
import { sampleMaps } from "../src/ops/deformable.ts";
import { valueAndGradients } from "../src/ops/differentiable.ts";
import { groupedLinear, linear } from "../src/ops/linear.ts";
import { layerNorm } from "../src/ops/norm.ts";
import { scaledResidual } from "../src/ops/residual.ts";
import { expectNoLeak, random } from "./support/gradients.ts";

beforeAll(() => {
  loadBackend();
});

type Op = (...inputs: tf.Tensor[]) => tf.Tensor;

const norm: Op = (x, weight, bias) => layerNorm({ weight: weight!, bias: bias! }, x!, 1e-6);
const affine: Op = (x, weight, bias) => linear({ weight: weight!, bias: bias! }, x!);
const residual: Op = (x, a, scale) => scaledResidual(x!, a!, scale!);
const attend: Op = (q, k, v) => scaledDotProduct(q!, k!, v!, 2);
const sampled =
  (mapSizes: [number, number][], heads: number, points: number): Op =>
  (value, places, scores) =>
    sampleMaps(value!, tf.sub(places!, -0.5), tf.softmax(scores!), { mapSizes, heads, points });

const cases: [string, Op, number[][]][] = [
  ["layerNorm of 384", norm, [[3, 200, 384], [384], [384]]],
  ["layerNorm of 21", norm, [[37, 21], [21], [21]]],
  ["layerNorm of a single row of 5", norm, [[5], [5], [5]]],
  ["the bias of linear", affine, [[3, 200, 24], [24, 37], [37]]],
  ["linear of many", affine, [[1, 130, 800], [800, 900], [900]]],
  ["linear of one row and one column", affine, [[1, 3], [3, 1], [1]]],
  ["a layer with ReLU", (x, weight, bias) => linear({ weight: weight!, bias: bias! }, x!, { activation: "relu" }), [[50, 30], [30, 70], [70]]],
  ["groupedLinear", (x, weight, bias) => groupedLinear({ weight: weight!, bias: bias! }, x as tf.Tensor3D), [[5, 41, 24], [5, 24, 37], [5, 37]]],
  ["groupedLinear of few", (x, weight, bias) => groupedLinear({ weight: weight!, bias: bias! }, x as tf.Tensor3D), [[1, 500, 24], [1, 24, 37], [1, 37]]],
  ["groupedLinear of the same", (x, weight, bias) => groupedLinear({ weight: weight!, bias: bias! }, x as tf.Tensor3D), [[1, 41, 24], [5, 24, 37], [5, 37]]],
  ["gelu", (x) => gelu(x!), [[7, 1001]]],
  ["gelu of one number", (x) => gelu(x!), [[1]]],
  ["scaledResidual of 384", residual, [[3, 100, 384], [3, 100, 384], [384]]],
  ["scaledResidual of 13", residual, [[90, 13], [90, 13], [13]]],
  ["scaledDotProduct of 70 tokens", attend, [[3, 70, 24], [3, 70, 24], [3, 70, 24]]],
  ["scaledDotProduct of 450 tokens", attend, [[1, 450, 64], [1, 450, 64], [1, 450, 64]]],
  ["scaledDotProduct of 3 tokens", attend, [[2, 3, 4], [2, 3, 4], [2, 3, 4]]],
  ["sampleMaps of 16 channels", sampled([[6, 9]], 2, 2), [[2, 54, 32], [2, 50, 2, 1, 2, 2], [2, 50, 2, 2]]],
  ["sampleMaps of 5 channels, two maps", sampled([[4, 3], [2, 5]], 3, 4), [[1, 22, 15], [1, 9, 3, 2, 4, 2], [1, 9, 3, 8]]],
]; // biome-ignore format: one case a line

/** The output, and the gradient of each input of a weighted sum of it. */
function run(op: Op, shapes: number[][], scale = 1): tf.Tensor[] {
  const inputs = shapes.map((shape, i) => random(shape, i + 1, scale));
  const { loss, extra, gradients } = valueAndGradients(inputs, () => {
    const y = op(...inputs);
    return { loss: tf.sum(tf.mul(y, random(y.shape, 77))) as tf.Scalar, extra: { y } };
  });
  tf.dispose([loss, ...inputs]);
  return [extra.y, ...(gradients as tf.Tensor[])];
}

/** Largest difference as a share of the largest number. */
const distance = (a: tf.Tensor, b: tf.Tensor) =>
  tf.tidy(() => tf.div(tf.max(tf.abs(tf.sub(a, b))), tf.add(tf.max(tf.abs(b)), 1e-6)).dataSync()[0]!);

describe("operations of our own", () => {
  test("are there where the engine computes on the processor", () => {
    expect(hasKernels()).toBe(process.platform === "linux" && !loadBackend().isUsingGpuDevice);
    expect(withPlainOperations(hasKernels)).toBe(false);
  });

  test.each(cases)("%s: values and gradients are those of the plain operations", (_, op, shapes) => {
    expectNoLeak(() => {
      const own = run(op, shapes);
      const plain = withPlainOperations(() => run(op, shapes));
      for (const [i, one] of own.entries()) {
        expect(one.shape).toEqual(plain[i]!.shape);
        expect(distance(one, plain[i]!), `result ${i}`).toBeLessThan(3e-6);
      }
      return [...own, ...plain];
    });
  });

  test("GELU is right far from zero, and what is no number stays none", () => {
    const x = tf.tensor1d([Number.NaN, 0, 3.9, -3.9, 6, -6, 40, -40, 1e30, -1e30, Number.POSITIVE_INFINITY]);
    const [y, dx] = [rawOp("RfGelu", {}, [x]), rawOp("RfGeluGrad", {}, [x, tf.onesLike(x)])].map((t) => t.dataSync());
    expect(y![0]).toBeNaN();
    expect(dx![0]).toBeNaN();
    const expected = [0, 3.8998125, -0.00018755, 6, 0, 40, 0, 1e30, 0];
    for (const [i, value] of expected.entries()) {
      const far = y![i + 1]! - Math.fround(value);
      expect(Math.abs(far), `gelu(${x.dataSync()[i + 1]})`).toBeLessThanOrEqual(2e-6 * Math.max(1, Math.abs(value)));
    }
    expect(y!.at(-1)).toBe(Number.POSITIVE_INFINITY);
  });

  test("attention's scores do not overflow", () => {
    const [q, k, v] = [[1000, -1e30, 0], [1, 1, -1], [1, 2, 6]].map((x) => tf.tensor3d(x, [1, 3, 1])); // biome-ignore format: one line
    const out = rawOp("RfAttention", {}, [q!, k!, v!, tf.scalar(1)]).dataSync();
    expect([...out]).toEqual([1.5, 6, 3]);
  });

  test("attention is right for all numbers of tokens, and what is no number in a query spoils that one's row alone", () => {
    for (let n = 1; n < 36; n++) {
      const [q, k, v] = [1, 2, 3].map((seed) => random([1, n, 4], seed));
      const own = rawOp("RfAttention", {}, [q!, k!, v!, tf.scalar(2)]);
      const plain = withPlainOperations(() => attend(q!, k!, v!));
      expect(distance(own, plain), `${n} tokens`).toBeLessThan(3e-6);
      const spoilt = Float32Array.from(q!.dataSync()).fill(Number.NaN, 4 * (n - 1));
      const rows = rawOp("RfAttention", {}, [tf.tensor(spoilt, q!.shape), k!, v!, tf.scalar(2)]).dataSync();
      expect([...rows]).toEqual([...own.dataSync()].map((x, i) => (i < 4 * (n - 1) ? x : Number.NaN)));
    }
  });

  test("products of all sizes of edges are right, and what is no number stays none", () => {
    for (let n = 1; n < 36; n++) {
      const [a, b] = [random([n, 5], n), random([5, n], 2)];
      const [own, plain] = [rawOp("RfProduct", {}, [a, b]), tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D)];
      expect(distance(own, plain)).toBeLessThan(3e-6);
    }
    const [x, w, b] = [tf.tensor2d([[Number.NaN, 0], [-1, 1]]), tf.ones([2, 3]), tf.tensor1d([0, -9, 1])]; // biome-ignore format: one line
    expect([...rawOp("RfLinearRelu", {}, [x, w, b]).dataSync()]).toEqual([Number.NaN, Number.NaN, Number.NaN, 0, 0, 1]);
    expect([...rawOp("RfLinear", {}, [tf.ones([2, 0]), tf.ones([0, 3]), b]).dataSync()]).toEqual([0, -9, 1, 0, -9, 1]);
  });

  test("a layer with GELU is the same in one operation, as where no gradient is asked for, and in two", () => {
    for (const [rows, inner, columns] of [
      [50, 30, 70],
      [37, 800, 900],
      [1, 3, 1],
    ] as const) {
      // biome-ignore format: one line
      const [x, weight, bias] = [random([rows, inner], 1), random([inner, columns], 2), random([columns], 3)];
      const one = linear({ weight, bias }, x, { activation: "gelu" });
      const { extra: two } = valueAndGradients([x], () => {
        const y = linear({ weight, bias }, x, { activation: "gelu" });
        return { loss: tf.sum(y) as tf.Scalar, extra: y };
      });
      expect(one.dataSync()).toEqual(two.dataSync());
      expect(
        distance(
          one,
          withPlainOperations(() => linear({ weight, bias }, x, { activation: "gelu" })),
        ),
      ).toBeLessThan(1e-6);
    }
  });

  test.each([
    ["RfLayerNorm", [[2, 3], [4], [3], []], 2],
    ["RfLayerNormGrad", [[2, 3], [2, 3], [3], [2]], 3],
    ["RfGeluGrad", [[2], [3]], 1],
    ["RfAttention", [[1, 2, 8], [1, 3, 8], [1, 4, 8], []], 1],
    ["RfAttention", [[1, 2, 8], [1, 3, 8], [1, 3, 8], []], 1], // 3 heads of 8 channels
    [
      "RfProduct",
      [
        [2, 3],
        [2, 3],
      ],
      1,
    ],
    [
      "RfProductLeft",
      [
        [2, 3],
        [3, 2],
      ],
      1,
    ],
    [
      "RfProductRight",
      [
        [4, 2, 3],
        [3, 2, 3],
      ],
      1,
    ],
    ["RfLinear", [[2, 3], [3, 4], [5]], 1],
    ["RfScaledResidual", [[2, 3], [2, 3], [2]], 1],
    [
      "RfDeformable",
      [
        [1, 4, 8],
        [1, 2, 2, 1, 1, 2],
        [1, 2, 2, 1],
        [1, 2],
      ],
      1,
    ],
    [
      "RfDeformable",
      [
        [1, 4, 8],
        [1, 2, 3, 1, 1, 2],
        [1, 2, 3, 1],
        [1, 2],
      ],
      1,
    ],
    ["RfAdamW", [[2], [2], [5], [2], [2]], 1],
    ["RfMoveAverages", [[2], [3], []], 0],
  ] as [string, number[][], number][])("%s refuses shapes that do not fit", (name, shapes, outputs) => {
    const inputs = shapes.map((shape) => tf.fill(shape, 3));
    const lists: Record<string, number> = /^Rf(AdamW|MoveAverages)$/.test(name) ? { N: 1 } : {};
    expect(() => rawOps(name, lists, inputs, outputs)).toThrow(/\[|alike|shape|tokens/);
  });
});

test.skipIf(!("callFunction" in loadBackend().binding && hasKernels()))(
  "a replayed operation writes into the memory of what nobody reads any more, and of nothing else",
  async () => {
    const [x, scale] = [random([64, 512], 3), random([512], 4)];
    const run = () =>
      tf.tidy(() => {
        const [kept, read, gone] = [tf.neg(x), tf.abs(x), tf.square(x)];
        const unary = [kept, read, gone].map((one) => gelu(one));
        return { kept, all: [...unary, residual(x, read, scale), residual(kept, tf.exp(x), scale), gelu(tf.sin(x))] };
      });
    const numbers = async ({ kept, all }: ReturnType<typeof run>) => {
      const read = await Promise.all(
        [kept, ...all].map(async (one) => Buffer.from(await one.data()).toString("base64")),
      );
      tf.dispose([kept, all]);
      return [...read, Buffer.from(await x.data()).toString("base64")];
    };
    const expected = await numbers(run());
    const recorder = createRecorder();
    for (let i = 0; i < 4; i++)
      expect(await numbers(await recorder.chain("kernels").part({ x, scale }, run))).toEqual(expected);
    expect(
      recorder
        .news()
        .map(({ text }) => text)
        .join(),
    ).toContain("The stage kernels is replayed");
    recorder.dispose();
    tf.dispose([x, scale]);
  },
);

test("results are the same bytes with any number of threads", () => {
  const at = (path: string) => JSON.stringify(join(import.meta.dirname, path));
  const script = `
    import { createHash } from "node:crypto";
    const { tensor } = await import("@tensorflow/tfjs-core");
    const { rawOps } = await import(${at("../src/engine/backend.ts")});
    const { hasKernels } = await import(${at("../src/engine/ownKernels.ts")});
    if (!hasKernels()) throw new Error("no kernels");
    const hash = createHash("sha256");
    const filled = (shape) => tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * i)), shape);
    const take = (name, inputs, outputs) => {
      for (const one of rawOps(name, {}, inputs, outputs)) hash.update(new Uint8Array(one.dataSync().buffer));
    };
    take("RfLayerNormGrad", [[1000, 40], [1000, 40], [40], [1000, 2]].map(filled), 3);
    take("RfScaledResidualGrad", [[1000, 40], [1000, 40], [40]].map(filled), 2);
    const [q, k, v, out] = [[3, 400, 24], [3, 500, 24], [3, 500, 24], [3, 400, 24]].map(filled);
    take("RfAttention", [q, k, v, tensor(2)], 1);
    take("RfAttentionGrad", [q, k, v, tensor(2), out, q], 3);
    const [a, b] = [filled([900, 410]), filled([410, 900])];
    take("RfProduct", [a, b], 1);
    take("RfProductLeft", [b, b], 1);
    take("RfProductRight", [a, a], 1);
    take("RfBiasGrad", [filled([1000, 40])], 1);
    const [value, places, shares, dy] = [[2, 12, 32], [2, 300, 2, 1, 2, 2], [2, 300, 2, 2], [2, 300, 32]].map(filled);
    take("RfDeformableGrad", [value, places, shares, tensor([3, 4], [1, 2]), dy], 3);
    console.log(hash.digest("hex"));`;
  const [one, three] = ["1", "3"].map((threads) => {
    const env = { ...process.env, TF_NUM_INTRAOP_THREADS: threads };
    const { stdout, stderr } = spawnSync(process.execPath, ["--import", import.meta.resolve("tsx"), "--input-type=module", "-e", script], { env, encoding: "utf8" }); // biome-ignore format: one line
    return stdout || stderr;
  });
  expect(one).toMatch(/^[0-9a-f]{64}$/m);
  expect(three).toBe(one);
});
