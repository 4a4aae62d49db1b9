import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { labelAsFound, tinyDataset } from "../../tests/support/tinyRun.ts";
import { TINY, tinyWeights } from "../../tests/tinyModel.ts";
import { toFields } from "../architecture/fields.ts";
import { referenceKeys } from "../architecture/weights/table.ts";
import { writeWeightsFile } from "../checkpoint/weightsFile.ts";
import { openOnnxDetector } from "../detector/onnx.ts";
import { openDetector } from "../detector/open.ts";
import { loadBackend } from "../engine/backend.ts";
import { evaluate } from "../eval/measure.ts";
import type { OperatingPoint } from "../instance/operating/point.ts";
import { openOnnx } from "../onnx/session.ts";
import { UserError } from "../util/errors.ts";
import { sha256File } from "../util/files.ts";
import { fromFloat32, type StateDict, toFloat32 } from "../util/hostTensor.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import { exportOnnx } from "./exportOnnx.ts";

let dir: string;
let weights: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "export-"));
  await tinyDataset(join(dir, "data"));
  weights = join(dir, "tiny.safetensors");
  await writeTiny(weights, shaken());
});
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(() => rm(join(dir, "out"), { recursive: true, force: true }));

/** Weights that are far from their start, so that every part of the network has a say. */
function shaken(): StateDict {
  const rng = rngFromSeed(11);
  const tensors = tinyWeights();
  for (const [name, shape] of referenceKeys(TINY)) {
    const tensor = tensors.get(name)!;
    if (tensor.dtype !== "F32") continue;
    const values = toFloat32(tensor).map((value) => value + 0.2 * rng.normal());
    tensors.set(name, fromFloat32(Float32Array.from(values), shape));
  }
  return tensors;
}

const writeTiny = (path: string, tensors: StateDict, extra: Record<string, string> = {}) =>
  writeWeightsFile(path, tensors, {
    modelConfig: toFields(TINY) as Record<string, string>,
    classNames: ["red", "blue"],
    categoryIds: [1, 2],
    extra: { run: "trial", ...extra },
  });

const options = () => ({ weights, out: join(dir, "out", "model.onnx"), data: join(dir, "data") });

test("a file is verified on the data set's images, its AP stands beside the trainer's, and it says what it is", async () => {
  const { files, record, warnings } = await exportOnnx(options());
  expect(warnings).toEqual([]);
  const [file] = files;
  expect(file).toMatchObject({ file: "model.onnx", kind: "plain", outputs: "raw", opset: 18, batch: "dynamic" });
  expect(file!.verified).toMatchObject({ images: 3, near_ties: 0 });
  expect(file!.verified!.difference!.boxes).toBeLessThan(1e-5);
  expect(file!.verified!.difference!.logits).toBeLessThan(1e-4);
  const { trainer, file: own } = file!.verified!["AP50:95"]!;
  expect(own).toBeCloseTo(trainer, 6);
  expect(file!.latency_ms!.p50).toBeGreaterThan(0);
  expect(JSON.parse(await readFile(record, "utf8"))).toEqual({ files });
  expect((await readdir(join(dir, "out"))).sort()).toEqual(["export.json", "model.onnx"]);

  const detector = await openOnnxDetector(join(dir, "out", "model.onnx"));
  expect(detector).toMatchObject({ resolution: 32, batch: undefined, decoded: false });
  expect(detector.classes).toEqual([
    { label: 0, name: "red", categoryId: 1 },
    { label: 1, name: "blue", categoryId: 2 },
  ]);
  const { metadata } = detector;
  expect(metadata).toMatchObject({ resolution: "32", names: '{"0":"red","1":"blue"}', run: "trial", num_select: "6" });
  expect(Object.keys(metadata)).toEqual(
    expect.arrayContaining(["mean", "std", "resize", "rfdetr_train", "rfdetr_notes"]),
  );
  await detector.close();
});

test("evaluate gives an exported file the AP of its weights", async () => {
  const { out, data } = options();
  await exportOnnx(options());
  const [ours, theirs] = [await evaluate({ weights, data }), await evaluate({ weights: out, data })];
  expect(ours.metrics["AP50:95"]).toBeGreaterThanOrEqual(0);
  expect(theirs.perClass.map(({ name }) => name)).toEqual(["red", "blue"]);
  for (const [name, value] of Object.entries(ours.metrics)) expect(theirs.metrics[name]).toBeCloseTo(value, 4);
});

test("a decoded file gives the detections in pixels itself", async () => {
  const { files } = await exportOnnx({ ...options(), decode: true });
  expect(files[0]).toMatchObject({ outputs: "decoded", verified: { images: 3 } });
  expect(files[0]!.verified!.difference!.boxes).toBeLessThan(1e-4);
  const session = await openOnnx(options().out);
  expect(session.inputs.map(({ name, shape }) => [name, ...shape])).toEqual([
    ["input", "batch", 3, 32, 32],
    ["sizes", "batch", 2],
  ]);
  expect(session.outputs.map(({ name, type, shape }) => [name, type, ...shape])).toEqual([
    ["boxes", "float32", "batch", 6, 4],
    ["scores", "float32", "batch", 6],
    ["labels", "int64", "batch", 6],
  ]);
  await session.close();
  const images = Float32Array.from({ length: 2 * 32 * 32 * 3 }, (_, i) => Math.sin(i / 7));
  const shape: [number, number, number, number] = [2, 32, 32, 3];
  const input = { images, shape, originalSizes: [[100, 300], [50, 20]] as [number, number][] }; // biome-ignore format: one line
  const [ours, theirs] = [await openDetector(weights), await openDetector(options().out)];
  const [expected, found] = [await ours.detect(input), await theirs.detect(input)];
  for (const [image, { boxes, scores, labels }] of found.entries()) {
    const kept = [...expected[image]!.labels.keys()].filter((i) => expected[image]!.labels[i] !== TINY.numClasses);
    for (const [place, i] of kept.entries()) {
      expect(scores[place]).toBeCloseTo(expected[image]!.scores[i]!, 5);
      expect(labels[place]).toBe(expected[image]!.labels[i]);
      for (let k = 0; k < 4; k++) expect(boxes[4 * place + k]).toBeCloseTo(expected[image]!.boxes[4 * i + k]!, 2);
    }
    expect(kept.length).toBeGreaterThan(0);
  }
  await ours.close();
  await theirs.close();
});

test("files for onnxruntime and of fewer bits stand beside the plain one, each measured", async () => {
  await exportOnnx({ ...options(), optimize: true, precision: "fp16" });
  const { files } = await exportOnnx({ ...options(), optimize: true, precision: "int8" });
  const names = ["model.onnx", "model.optimized.onnx", "model.int8.onnx"];
  expect(files.map(({ file }) => file)).toEqual(names);
  expect((await readdir(join(dir, "out"))).sort()).toEqual(["export.json", "model.fp16.onnx", ...names].sort());
  const [plain, optimized, int8] = files;
  expect(optimized!.operations).toBeLessThan(0.9 * plain!.operations);
  expect(optimized!.verified!.difference!.logits).toBeLessThan(1e-4);
  expect(int8!.verified).toMatchObject({ images: 3, difference: null, tolerance: null });
  expect(int8!.calibration).toEqual({ on: `${join(dir, "data")}, train`, images: 7 });
  expect(plain).not.toHaveProperty("calibration");
  for (const { verified, latency_ms: latency } of files) {
    expect(verified!["AP50:95"]!.file).toBeGreaterThanOrEqual(0);
    expect(latency!.p50).toBeGreaterThan(0);
  }
  const fp16 = await openOnnxDetector(join(dir, "out", "model.fp16.onnx"));
  expect(fp16.metadata.precision).toBe("fp16");
  await fp16.close();
});

test("a file that rounds has thresholds of its own, by the rule of its weights, chosen on validation images only", async () => {
  const [data, chosen] = [join(dir, "found"), join(dir, "chosen.safetensors")];
  await tinyDataset(data, { test: true });
  await labelAsFound(weights, { images: join(data, "valid"), out: join(dir, "labels") });
  const point: OperatingPoint = {
    ...{ rule: { by: "best-f1", at: null }, reached: true, threshold: 0.77, images: 41, precision: null, recall: null },
    classes: ["red", "blue"].map((name, label) => ({ label, name, boxes: 4, threshold: null })),
  };
  await writeTiny(chosen, shaken(), { operating_point: JSON.stringify(point) });
  const given = { ...options(), weights: chosen, data };
  const pointOf = async (file: string) => {
    const { metadata, operatingPoint, ...detector } = await openOnnxDetector(join(dir, "out", file));
    await detector.close();
    return { ...operatingPoint!, said: metadata.threshold };
  };
  for (const precision of ["fp16", "int8"] as const) {
    const { files, warnings } = await exportOnnx({ ...given, precision });
    expect(warnings.filter((text) => text.includes("thresholds"))).toEqual([]);
    expect(await pointOf("model.onnx")).toEqual({ ...point, said: "0.77" });
    const own = await pointOf(`model.${precision}.onnx`);
    const { f1, atPoint } = await evaluate({ weights: join(dir, "out", `model.${precision}.onnx`), data });
    expect(own.threshold).toBeCloseTo(f1.threshold, 9);
    expect(own).toMatchObject({ rule: point.rule, images: 3, said: String(own.threshold) });
    expect(atPoint!.recall).toBeGreaterThan(0);
    expect(files[1]!.thresholds).toEqual({ on: `${data}, val`, images: 3, threshold: own.threshold, weights: 0.77 });
    expect(files[1]!.sha256).toBe(await sha256File(join(dir, "out", files[1]!.file)));
  }
  const { files, warnings } = await exportOnnx({ ...given, precision: "fp16", split: "test" });
  expect(files[1]).not.toHaveProperty("thresholds");
  expect(warnings.join("\n")).toMatch(/model\.fp16\.onnx has the thresholds of its weights: .* there are no labels of them/); // biome-ignore format: one line
  expect((await pointOf("model.fp16.onnx")).threshold).toBe(0.77);
});

test("int8 without training images finds its ranges as it runs, and says so", async () => {
  const { files } = await exportOnnx({ ...options(), data: undefined, precision: "int8", images: 1 });
  expect(files[1]).toMatchObject({ kind: "int8", calibration: null });
});

test("opset 17, a fixed batch and another resolution are written as asked for", async () => {
  const { files } = await exportOnnx({ ...options(), opset: 17, batch: 2, resolution: 48, images: 2 });
  expect(files[0]).toMatchObject({ opset: 17, batch: 2, resolution: 48, verified: { images: 2 } });
  const detector = await openOnnxDetector(options().out);
  expect(detector).toMatchObject({ resolution: 48, batch: 2 });
  const one = new Float32Array(48 * 48 * 3).fill(0.5);
  const three = Float32Array.from([...one, ...one, ...one]);
  const found = await detector.detect({
    images: three,
    originalSizes: [10, 20, 30].map((side) => [side, side] as const),
  });
  expect(found).toHaveLength(3);
  expect(found[2]!.scores).toEqual(found[0]!.scores);
  await detector.close();
  await expect(exportOnnx({ ...options(), resolution: 50 })).rejects.toThrow(/resolution is 50; it must be a multiple/);
});

test("weights without a data set of their own are verified on the pictures of this package, without AP", async () => {
  const { data: _, ...rest } = options();
  const { files } = await exportOnnx({ ...rest, images: 2 });
  expect(files[0]!.verified).toMatchObject({ on: "the pictures of this package", images: 2, "AP50:95": null });
});

test("a file that does not agree with its weights is not written", async () => {
  const tensors = shaken();
  const name = "class_embed.weight";
  const { shape } = tensors.get(name)!;
  tensors.set(name, fromFloat32(new Float32Array(shape[0]! * shape[1]!).fill(3e38), shape));
  const broken = join(dir, "broken.safetensors");
  await writeTiny(broken, tensors);
  await mkdir(join(dir, "out"));
  await writeFile(options().out, "what was there before");
  await expect(exportOnnx({ ...options(), weights: broken })).rejects.toThrow(/does not agree with its weights/);
  expect(await readdir(join(dir, "out"))).toEqual(["model.onnx"]);
  expect(await readFile(options().out, "utf8")).toBe("what was there before");
});

test.each<[string, Partial<Parameters<typeof exportOnnx>[0]>, RegExp]>([
  ["an ONNX file", { weights: "model.onnx" }, /model\.onnx is an ONNX file already/],
  ["a name without .onnx", { out: "model.pb" }, /model\.pb does not end in \.onnx/],
  ["a batch of nothing", { batch: 0 }, /batch is 0; it must be a whole number from 1/],
  ["half an image", { images: 0.5 }, /images is 0\.5/],
  ["weights that are not there", { weights: "none.pth" }, /There are no weights none\.pth/],
  ["a data set that is not there", { data: "none" }, /none/],
])("%s is refused", async (_, changes, message) => {
  const failed = exportOnnx({ ...options(), ...changes });
  await expect(failed).rejects.toThrow(message);
  await expect(failed).rejects.toThrow(UserError);
});

test("a second export of a folder is added to its record", async () => {
  await exportOnnx({ ...options(), images: 1 });
  const { record } = await exportOnnx({ ...options(), out: join(dir, "out", "other.onnx"), images: 1 });
  await exportOnnx({ ...options(), images: 1 });
  const { files } = JSON.parse(await readFile(record, "utf8")) as { files: { file: string }[] };
  expect(files.map(({ file }) => file)).toEqual(["other.onnx", "model.onnx"]);
});

test.each<[string, (path: string, model: Buffer) => Promise<void>, RegExp]>([
  ["cut off", (path, model) => writeFile(path, model.subarray(0, model.length >> 1)), /ends before its contents do/],
  ["a text", (path) => writeFile(path, "no model at all"), /is no ONNX model/],
  ["missing", async () => {}, /no such file/],
])("evaluate names an ONNX file that is %s", async (_, spoil, message) => {
  await exportOnnx({ ...options(), images: 1 });
  const path = join(dir, "out", "spoilt.onnx");
  await spoil(path, await readFile(options().out));
  const failed = evaluate({ weights: path, data: options().data });
  await expect(failed).rejects.toThrow(UserError);
  await expect(failed).rejects.toThrow(message);
  await expect(failed).rejects.toThrow("spoilt.onnx");
});
