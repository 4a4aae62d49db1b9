// The examples do what they say: each finds in a picture what `predict` finds with the same weights.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { toFields } from "../src/architecture/fields.ts";
import { VARIANTS } from "../src/architecture/variants.ts";
import { convertWeights } from "../src/checkpoint/convert.ts";
import { writeWeightsFile } from "../src/checkpoint/weightsFile.ts";
import type { PredictedObject } from "../src/eval/predict/objects.ts";
import { predict } from "../src/eval/predict/predict.ts";
import { maskRuns } from "../src/instance/masks/maskRuns.ts";
import { runsArea } from "../src/instance/masks/runs.ts";
import { architectureOf, weightsOf } from "./parity/fixtures.ts";
import { findChromium, launchBrowser, NO_CHROMIUM } from "./support/browser.ts";
import { CLASSES, writeTinyOnnx } from "./support/onnxFile.ts";
import { requirePython } from "./support/python.ts";

const run = promisify(execFile);
const EXAMPLES = join(import.meta.dirname, "..", "examples");

/** `pixels`: of the mask, of a segmenter. */
type Found = { name: string; score: number; box: number[]; pixels?: number };

let folder: string;
let [model, segmenter, picture] = ["", "", ""];
let expected: Found[];
let withMasks: Found[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "examples-"));
  [model, segmenter, picture] = ["model.onnx", "segmenter.onnx", "picture.png"].map((name) => join(folder, name)) as [string, string, string]; // biome-ignore format: one line
  await writeTinyOnnx(model);
  await writeTinyOnnx(segmenter, { architecture: architectureOf("seg-tiny") });
  // No JPEG: decoders differ in the last bit.
  await sharp(join(import.meta.dirname, "fixtures/images/photo.jpg"))
    .png()
    .toFile(picture);
  expected = await predicted(model, picture);
  expect(expected.length).toBeGreaterThan(5);
  expect(expected.map(({ name }) => name)).toContain(CLASSES[3]!.name); // the one that has to be escaped
  withMasks = await predicted(segmenter, picture);
  expect(withMasks.some(({ pixels }) => pixels! > 0)).toBe(true);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function predicted(weights: string, image: string): Promise<Found[]> {
  for await (const { error, ...found } of predict({ weights, images: [image], device: "cpu" })) {
    if (error) throw error;
    return (found as { objects: PredictedObject[] }).objects.map(({ name, score, box, mask }) => ({
      ...{ name, score, box },
      ...(mask && { pixels: runsArea(maskRuns(mask, { size: null, where: image })) }),
    }));
  }
  throw new Error("no prediction");
}

/** Lines of JSON, as the examples print them. */
const parse = (out: string) => out.trim().split("\n").map((line) => JSON.parse(line) as Found); // biome-ignore format: one line

/** The same objects; `pixels` is how far a side may be off. */
function expectSame(found: readonly Found[], wanted: readonly Found[], { pixels = 0.02, score = 1e-4 } = {}) {
  expect(found.map(({ name }) => name)).toEqual(wanted.map(({ name }) => name));
  for (const [i, one] of found.entries()) {
    expect(Math.abs(one.score - wanted[i]!.score)).toBeLessThan(score);
    for (const [side, value] of one.box.entries()) expect(Math.abs(value - wanted[i]!.box[side]!)).toBeLessThan(pixels);
    expect(Math.abs((one.pixels ?? 0) - (wanted[i]!.pixels ?? 0))).toBeLessThan(20);
  }
}

/** The picture has been drawn upon, and has its size still. */
async function expectDrawn(path: string) {
  const [before, after] = await Promise.all([picture, path].map((file) => sharp(file).removeAlpha().raw().toBuffer()));
  expect(after!.length).toBe(before!.length);
  expect(Buffer.compare(after!, before!)).not.toBe(0);
}

/** The example's page with a model and the picture. */
async function serve(file: string): Promise<{ address: string; stop(): void }> {
  const words = [join(EXAMPLES, "browser/serve.js"), file, "--picture", picture, "--port", "0"];
  const server = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const address = await new Promise<string>((done) => server.stdout.once("data", (text) => done(String(text).trim())));
  return { address, stop: () => server.kill() };
}

const UNTIL_DONE = `new Promise((done) => {
  const look = () => (document.body.dataset.state ? done(document.body.dataset.state) : setTimeout(look, 50));
  look();
})`;
const LIST = "[...document.querySelectorAll('#found tr')].map((row) => [...row.cells].map((cell) => cell.textContent))";
const PIXELS = `(() => {
  const canvas = document.getElementById("canvas");
  return [canvas.width, canvas.height, ...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
})()`;

it("onnxruntime-node: the same objects, and a picture with boxes", async () => {
  const out = join(folder, "node.png");
  const { stdout } = await run(process.execPath, [join(EXAMPLES, "node-onnxruntime/detect.js"), model, picture, out]);
  expectSame(parse(stdout), expected);
  await expectDrawn(out);
});

it("onnxruntime-node: the same masks of a segmenter, drawn over the picture", async () => {
  const [out, program] = [join(folder, "masks.png"), join(EXAMPLES, "node-onnxruntime/detect.js")];
  const { stdout } = await run(process.execPath, [program, segmenter, picture, out]);
  expectSame(parse(stdout), withMasks);
  await expectDrawn(out);
});

it("onnxruntime-node: a file that is no model is refused", async () => {
  const broken = join(folder, "broken.onnx");
  await writeFile(broken, "This is no model.");
  const words = [join(EXAMPLES, "node-onnxruntime/detect.js"), broken, picture];
  await expect(run(process.execPath, words)).rejects.toThrow(/no ONNX file/);
});

it("Python's onnxruntime: the same objects, and a picture with boxes", async (context) => {
  const python = await requirePython(context, ["numpy", "onnxruntime", "PIL"]);
  const out = join(folder, "python.png");
  const { stdout } = await run(python, [join(EXAMPLES, "python-onnxruntime/detect.py"), model, picture, out]);
  expectSame(parse(stdout), expected);
  await expectDrawn(out);
});

it("Python's onnxruntime: the same masks of a segmenter, drawn over the picture", async (context) => {
  const python = await requirePython(context, ["numpy", "onnxruntime", "PIL"]);
  const out = join(folder, "python-masks.png");
  const words = [join(EXAMPLES, "python-onnxruntime/detect.py"), segmenter, picture, out];
  expectSame(parse((await run(python, words)).stdout), withMasks);
  await expectDrawn(out);
});

it("onnxruntime-web in a browser: masks of a segmenter on the canvas", async ({ skip }) => {
  const chromium = findChromium();
  if (!chromium) return skip(NO_CHROMIUM);
  const server = await serve(segmenter);
  const browser = await launchBrowser(chromium);
  try {
    const page = await browser.page();
    await page.open(server.address);
    expect(await page.evaluate(UNTIL_DONE)).toBe("done");
    const rows = await page.evaluate<string[][]>(LIST);
    expect(rows.map(([name]) => name)).toEqual(withMasks.map(({ name }) => name));
    // Far more of the picture is coloured than boxes and their names are.
    const pixels = await page.evaluate<number[]>(PIXELS);
    const { data } = await sharp(picture).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    const { data: drawn } = await sharp(join(folder, "masks.png"))
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const changed = (other: ArrayLike<number>) =>
      data.reduce((sum, value, i) => sum + (i % 4 < 3 && Math.abs(other[i]! - value) > 8 ? 1 : 0), 0) / data.length;
    expect(changed(pixels.slice(2))).toBeGreaterThan(0.7 * changed(drawn));
    expect(page.complaints).toEqual([]);
  } finally {
    await browser.close();
    server.stop();
  }
});

it("onnxruntime-web in a browser: the same objects, listed and drawn", async ({ skip }) => {
  const chromium = findChromium();
  if (!chromium) return skip(NO_CHROMIUM);
  const server = await serve(model);
  const browser = await launchBrowser(chromium);
  try {
    const page = await browser.page();
    await page.open(server.address);
    const state = await page.evaluate(UNTIL_DONE);
    expect(await page.evaluate("document.getElementById('status').textContent")).toMatch(/^\d+ objects in \d+ ms, \d+ threads?\.$/); // biome-ignore format: one line
    expect(state).toBe("done");
    const rows = await page.evaluate<string[][]>(LIST);
    const found = rows.map(([name, score, ...box]) => ({ name: name!, score: Number(score), box: box.map(Number) }));
    expectSame(found, expected, { pixels: 0.07 }); // sides are shown to a tenth of a pixel

    // The picture with its boxes is on the canvas, which is as large as the picture.
    const pixels = await page.evaluate<number[]>(PIXELS);
    const { data, info } = await sharp(picture).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    expect(pixels.slice(0, 2)).toEqual([info.width, info.height]);
    const changed = data.reduce((sum, value, i) => sum + (pixels[i + 2] === value ? 0 : 1), 0) / data.length;
    expect(changed).toBeGreaterThan(0.02);
    expect(changed).toBeLessThan(0.9);

    // A higher threshold needs no other run.
    await page.evaluate(`(() => {
      const slider = document.getElementById("threshold");
      slider.value = "0.65";
      slider.dispatchEvent(new Event("input"));
    })()`);
    const fewer = await page.evaluate<string[][]>(LIST);
    expect(fewer.map(([, score]) => score)).toEqual(
      rows.map(([, score]) => score).filter((score) => Number(score) > 0.65),
    );
    expect(fewer.length).toBeLessThan(rows.length);
    expect(page.complaints).toEqual([]);
  } finally {
    await browser.close();
    server.stop();
  }
});

it("the reference loads converted weights by itself, and finds the same objects with the same names", async (context) => {
  const python = await requirePython(context, ["rfdetr"]);
  const nano = { ...VARIANTS.nano, numClasses: 3 };
  const [weights, pth] = [join(folder, "nano.safetensors"), join(folder, "nano.pth")];
  const modelConfig = toFields(nano) as Record<string, number>;
  await writeWeightsFile(weights, weightsOf(nano, 7), { modelConfig, classNames: ["tree", "dog", "a <b>"] });
  await convertWeights(weights, pth);
  const image = join(import.meta.dirname, "../datasets/trees/valid/yell-a-0000-2072.jpg");
  const wanted = await predicted(weights, image);
  expect(wanted.length).toBeGreaterThan(0);
  const { stdout } = await run(python, ["-W", "ignore", join(EXAMPLES, "python-reference/predict.py"), pth, image]);
  expectSame(parse(stdout), wanted, { pixels: 0.5, score: 2e-3 });
});
