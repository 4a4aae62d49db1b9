import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { memory } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLASSES, writeTinyOnnx, writeTinyWeights } from "../../../tests/support/onnxFile.ts";
import { decodeFile } from "../../data/image/decode.ts";
import { loadBackend } from "../../engine/backend.ts";
import { loadDetector } from "./loadDetector.ts";
import type { PredictedObject } from "./objects.ts";
import { predict } from "./predict.ts";

const PHOTO = "tests/fixtures/images/photo.jpg";
let folder: string;
beforeAll(async () => {
  loadBackend();
  folder = await mkdtemp(join(tmpdir(), "detector-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What `predict` finds in each image. */
async function predicted(weights: string, images: string[]): Promise<PredictedObject[][]> {
  const results: PredictedObject[][] = [];
  for await (const one of predict({ weights, images, threshold: 0.3, device: "cpu" })) {
    if (one.error) throw one.error;
    results.push(one.objects);
  }
  return results;
}

const KINDS: [name: string, write: (path: string) => Promise<void>, file: string][] = [
  ["tiny.safetensors", writeTinyWeights, ""],
  ["tiny.onnx", writeTinyOnnx, ""],
  ["run", writeTinyWeights, "checkpoints/best/ema.safetensors"],
];

for (const [name, write, file] of KINDS)
  test(`${name}: loaded once, it finds what predict finds, in any form that a picture has`, async () => {
    const path = join(folder, name);
    await mkdir(dirname(join(path, file)), { recursive: true });
    await write(join(path, file));
    const [expected] = await predicted(path, [PHOTO]);
    expect(expected!.length).toBeGreaterThan(1);
    const before = memory().numTensors;
    const detector = await loadDetector(path, { device: "cpu", threshold: 0.3 });
    await rm(path, { recursive: true }); // a second call that loaded again would find nothing
    expect(detector).toMatchObject({ classes: CLASSES, threshold: 0.3, resolution: 128 });

    const bytes = await readFile(PHOTO);
    const pixels = await decodeFile(PHOTO);
    const { width, height } = pixels;
    const withOpacity = new Uint8ClampedArray(4 * width * height).fill(9);
    for (let i = 0; i < width * height; i++) withOpacity.set(pixels.data.subarray(3 * i, 3 * i + 3), 4 * i);
    const forms = [PHOTO, bytes, new Uint8Array(bytes).buffer, pixels, { data: withOpacity, width, height }];
    for (const form of forms) expect(await detector.detect(form)).toEqual(expected);
    const all = await detector.detect(forms);
    expect(all).toHaveLength(5);
    for (const one of all)
      for (const [i, { score, label }] of one.entries()) {
        expect(label).toBe(expected![i]!.label);
        expect(score).toBeCloseTo(expected![i]!.score, 5);
      }
    const together = await Promise.all([detector.detect(bytes), detector.detect([PHOTO, pixels]), detector.detect([])]);
    expect(together.map(({ length }) => length)).toEqual([expected!.length, 2, 0]);

    await detector.dispose();
    await detector.dispose();
    expect(memory().numTensors).toBe(before);
    await expect(detector.detect(PHOTO)).rejects.toThrow("The detector was disposed.");
  });

test("a call has a threshold, classes and a limit of its own, and what means nothing is refused", async () => {
  const path = join(folder, "own.safetensors");
  await writeTinyWeights(path, 11, { classNames: ["a", "b", "c", "d", "e"] });
  const every = await loadDetector(path, { threshold: 0 });
  const [one, two] = [...new Set((await every.detect(PHOTO)).map(({ name }) => name))] as [string, string];
  await every.dispose();
  const detector = await loadDetector(path, { threshold: 0.01, classes: [one, two] });
  const found = await detector.detect(PHOTO);
  expect(new Set(found.map(({ name }) => name))).toEqual(new Set([one, two]));
  const only = await detector.detect(PHOTO, { classes: [two] });
  expect(only).toEqual(found.filter(({ name }) => name === two));
  const limit = found[2]!.score;
  expect(await detector.detect(PHOTO, { threshold: limit })).toEqual(found.filter(({ score }) => score > limit));
  expect(await detector.detect(PHOTO, { maxDets: 2 })).toEqual(found.slice(0, 2));
  expect((await detector.detect([PHOTO, PHOTO], { maxDets: 1 })).map(({ length }) => length)).toEqual([1, 1]);

  const refused: [call: () => Promise<unknown>, message: string][] = [
    [() => detector.detect(PHOTO, { threshold: 50 }), "threshold is 50; it must lie from 0 to 1."],
    [() => detector.detect(PHOTO, { classes: ["none"] }), 'The model has no class "none".'],
    [() => detector.detect("none.jpg"), "Cannot read none.jpg: no such file"],
    [() => detector.detect([PHOTO, Buffer.from("no picture")]), "Picture 2 cannot be read as an image"],
    [
      () => detector.detect({ data: new Uint8Array(5), width: 2, height: 1 }),
      "Picture 1 has 5 bytes: 2 x 1 pixels have 6 in RGB",
    ],
    [() => detector.detect({ data: new Uint8Array(0), width: 1e9, height: 1e9 }), "Picture 1 has more than"],
    [() => detector.detect(undefined as never), "Picture 1 is no picture."],
    [() => loadDetector(path, { batchSize: 0 }), "batchSize is 0; it must be a whole number from 1."],
  ];
  for (const [call, message] of refused) await expect(call()).rejects.toThrow(message);
  const before = memory().numTensors;
  await expect(loadDetector(path, { classes: ["none"] })).rejects.toThrow('The model has no class "none".');
  expect(memory().numTensors).toBe(before);
  await detector.dispose();
});
