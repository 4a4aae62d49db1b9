import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeTinyOnnx, writeTinyWeights } from "../../tests/support/onnxFile.ts";
import { tinyDataset } from "../../tests/support/tinyRun.ts";
import { evaluate } from "../eval/measure.ts";
import { metricsOf } from "../eval/metricsRow.ts";
import { type BenchmarkOptions, benchmark } from "./benchmark.ts";
import { notesOnModels, notesOnNumbers } from "./notes.ts";

let folder: string;
let data: string;
let [weights, onnx] = ["", ""];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchmark-"));
  [data, weights, onnx] = [join(folder, "data"), join(folder, "tiny.safetensors"), join(folder, "tiny.onnx")];
  await Promise.all([tinyDataset(data), writeTinyWeights(weights), writeTinyOnnx(onnx)]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const FEW = { rounds: 3, warmUp: 1, device: "cpu" } satisfies Partial<BenchmarkOptions>;

it("measures weights against the file made of them, with the AP that evaluate gives", async () => {
  const told: [string, number, number][] = [];
  const result = await benchmark({
    ...{ ...FEW, weights, against: onnx, data, batchSizes: [1, 2], threads: [1] },
    onProgress: (...args) => told.push(args),
  });
  expect(JSON.parse(JSON.stringify(result))).toEqual(result); // plain data
  expect(result.subjects).toMatchObject([
    { subject: "a", kind: "weights", resolution: 128, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    { subject: "b", kind: "onnx", resolution: 128, runtime: "onnxruntime 1.30.0", device: "cpu" },
  ]);
  expect(result.images).toEqual({ from: `${data}, val`, count: 3 });

  // every setting, both subjects
  const settings = result.timings.map(({ subject, batch_size, threads, prefetch }) => [subject, batch_size, threads, prefetch]); // biome-ignore format: one line
  expect(settings).toEqual(
    [1, 2].flatMap((batch) => [false, true].flatMap((ahead) => ["a", "b"].map((who) => [who, batch, 1, ahead]))),
  );
  for (const { total, stages, prefetch, images_per_second, batch_size } of result.timings) {
    expect(total.n).toBe(3);
    expect(images_per_second).toBeCloseTo((1000 * batch_size) / total.mean, 6);
    const names = prefetch
      ? ["forward", "postprocess", "wait"]
      : ["read", "decode", "resize", "forward", "postprocess"];
    expect(Object.keys(stages)).toEqual(names);
  }
  expect(result.comparisons).toHaveLength(4);
  const [first] = result.comparisons;
  const [a, b] = result.timings;
  expect(first!.total.value).toBeCloseTo(b!.total.p50 / a!.total.p50, 12);
  expect(first!.forward.value).toBeCloseTo(b!.stages.forward!.p50 / a!.stages.forward!.p50, 12);

  expect(first!.processor!.value).toBeCloseTo(b!.processor!.p50 / a!.processor!.p50, 12);
  expect(result.comparisons.map(({ processor }) => processor === null)).toEqual([false, true, false, true]);

  const measured = await evaluate({ weights, data, device: "cpu" });
  expect(result.accuracy.map(({ images }) => images)).toEqual([3, 3]);
  const [ofWeights, ofFile] = result.accuracy.map(({ metrics }) => metrics);
  expect(ofWeights).toEqual(metricsOf(measured));
  expect(ofFile!["AP50:95"]).toBeCloseTo(ofWeights!["AP50:95"] as number, 3);

  expect(result.environment).toMatchObject({ onnxruntime: "1.30.0", tfjs: "4.22.0", node: process.versions.node });
  expect(result.environment.libtensorflow).toMatch(/^2\./);
  expect(told).toContainEqual(["batch 2, 1 thread, images fetched ahead", 4, 4]);
});

it("measures an ONNX file with several numbers of threads, on the pictures of this package", async () => {
  const result = await benchmark({ ...FEW, weights: onnx, threads: [1, 2], prefetch: [false] });
  expect(result.timings.map(({ threads }) => threads)).toEqual([1, 2]);
  expect(result.comparisons).toEqual([]);
  expect(result.accuracy).toEqual([]);
  expect(result.images).toEqual({ from: "pictures of this package (datasets/trees/valid)", count: 9 });
  expect(result.environment).toMatchObject({ libtensorflow: null, tfjs: null });
});

it("measures weights at another resolution, and says so", async () => {
  const result = await benchmark({ ...FEW, weights, resolution: 96, prefetch: [false] });
  expect(result.subjects[0]).toMatchObject({ resolution: 96, native_resolution: 128 });
  expect(result.notes).toContain(`${weights} is measured at 96 pixels a side; its own resolution is 128.`);
});

it("says what is wrong with what it is asked for", async () => {
  const broken = join(folder, "broken.onnx");
  await writeFile(broken, "no model");
  const cases: [Partial<BenchmarkOptions>, RegExp][] = [
    [{ weights: broken }, /broken\.onnx is no ONNX model/],
    [{ weights: join(folder, "none.onnx") }, /none\.onnx/],
    [{ against: join(folder, "none.pth") }, /There are no weights .*none\.pth/],
    [{ resolution: 96 }, /takes images of 128 pixels a side, not 96: that is fixed/],
    [{ weights, resolution: 100 }, /The resolution 100 does not fit .*: it must be a multiple of 32/],
    [{ weights, threads: [1, 2] }, /tiny\.safetensors can be measured with one number of threads at a time/],
    [{ rounds: 0 }, /^rounds is 0; it must be a whole number from 1\.$/],
    [{ batchSizes: [1, 2.5] }, /^batchSizes is 2\.5/],
    [{ warmUp: -1 }, /^warmUp is -1; it must be a whole number from 0\.$/],
    [{ images: [join(folder, "nothing")] }, /There is no file or folder/],
    [{ data: folder }, /No data set was recognised/],
    [{ images: [broken] }, /broken\.onnx cannot be read as an image/],
  ];
  for (const [options, message] of cases)
    await expect(benchmark({ ...FEW, weights: onnx, ...options }), message.source).rejects.toThrow(message);
});

it("ends when it is told to", async () => {
  const controller = new AbortController();
  const run = benchmark({
    ...{ ...FEW, rounds: 1000, weights: onnx, signal: controller.signal },
    onProgress: () => controller.abort(new Error("enough")),
  });
  await expect(run).rejects.toThrow("enough");
});

it("notes what makes times hard to compare", () => {
  const device = { kind: "cpu" as const, name: "a processor", warning: undefined };
  const model = { source: "a.pth", nativeResolution: 384, resolution: 384, device };
  const other = { ...model, source: "b.pth", resolution: 512 };
  expect(notesOnModels([model, model])).toEqual([]);
  expect(
    notesOnModels([
      model,
      { ...other, nativeResolution: 512, device: { ...device, kind: "gpu", name: "NVIDIA H200" } },
    ]),
  ).toEqual([
    "The two take images of different sides, 384 and 512 pixels: their times differ for that, too.",
    "The two run on different devices: cpu and NVIDIA H200.",
  ]);
  expect(notesOnModels([{ ...other, device: { ...device, warning: "A GPU is idle." } }])).toEqual([
    "A GPU is idle.",
    "b.pth is measured at 512 pixels a side; its own resolution is 384.",
  ]);
  expect(notesOnNumbers({ rounds: 100, images: 400, most: 4 })).toEqual([]);
  expect(notesOnNumbers({ rounds: 10, images: 9, most: 1 })).toEqual([
    "With 10 rounds, p95 and p99 are as good as the slowest; 100 rounds say more.",
    "There are 9 images; each was read several times, so the files came from the memory.",
  ]);
});
