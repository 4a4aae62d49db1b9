import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TINY, weightsOf } from "../../../tests/parity/fixtures.ts";
import { launch } from "../../../tests/support/launcher.ts";
import { writeTinyOnnx } from "../../../tests/support/onnxFile.ts";
import { toFields } from "../../architecture/fields.ts";
import { writeWeightsFile } from "../../checkpoint/weightsFile.ts";
import type { PredictReport } from "../../eval/predict/predictToFolder.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "predict-"));
  const modelConfig = toFields(TINY) as Record<string, number>;
  const metadata = { modelConfig, classNames: ["a", "b", "c", "d", "e"], categoryIds: [10, 20, 30, 40, 50] };
  await writeWeightsFile(join(folder, "tiny.pth"), weightsOf(TINY, 11), metadata);
  for (const name of ["one", "two"]) {
    await mkdir(join(folder, "photos", name), { recursive: true });
    await copyFile("tests/fixtures/images/photo.jpg", join(folder, "photos", name, "x.jpg"));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (...words: string[]) => launch(["predict", ...words], { cwd: folder });
const report = ({ out }: { out: string }) => JSON.parse(out) as PredictReport;

const BASE = ["--weights", "tiny.pth", "--device", "cpu"];

it("writes results and pictures, names what cannot be read, and touches nothing else", async () => {
  await writeFile(join(folder, "photos", "two", "broken.png"), "no picture");
  const words = [
    ...BASE,
    "--threshold",
    "0.2",
    "--images",
    "photos",
    "--out",
    "photos/found",
    "--max-dets",
    "4",
    "--json",
  ];
  const { code, out, err } = await run(...words);
  expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining("photos/two/broken.png cannot be read") });
  const report = JSON.parse(out) as PredictReport;
  expect(report.failed).toEqual([{ file_name: "photos/two/broken.png", error: expect.any(String) }]);
  expect(report.images.map((one) => [one.id, one.file_name, one.picture, one.detections.length])).toEqual([
    [1, "photos/one/x.jpg", "photos/found/one/x.jpg", 4],
    [3, "photos/two/x.jpg", "photos/found/two/x.jpg", 4],
  ]);
  const results = JSON.parse(await readFile(join(folder, "photos/found/predictions.json"), "utf8")) as object[];
  expect(results).toEqual(report.images.flatMap(({ detections }) => detections));
  expect(results[0]).toEqual({
    image_id: 1,
    category_id: expect.toBeOneOf([10, 20, 30, 40, 50]),
    bbox: Array(4).fill(expect.any(Number)),
    score: expect.any(Number),
    file_name: "photos/one/x.jpg",
    category_name: expect.toBeOneOf(["a", "b", "c", "d", "e"]),
  });
  expect(await sharp(join(folder, "photos/found/one/x.jpg")).metadata()).toMatchObject({ format: "jpeg", width: 480 });
  expect(
    (await readdir(folder, { recursive: true })).filter((name) => !name.startsWith("photos/found")).sort(),
  ).toEqual([
    "photos",
    "photos/one",
    "photos/one/x.jpg",
    "photos/two",
    "photos/two/broken.png",
    "photos/two/x.jpg",
    "tiny.pth",
  ]);
  await rm(join(folder, "photos/two/broken.png"));

  const again = await run(
    ...BASE,
    "--threshold",
    "0.2",
    "--images",
    "photos",
    "--out",
    "photos/found",
    "--no-pictures",
  );
  expect(again.code).toBe(0); // what was written there is not taken for images
  expect(again.out).toMatch(/^photos\/one\/x\.jpg +96x72 +\d+ [a-e]/);
  expect(again.out).toMatch(/\n2 images: \d+ [a-e].*\nResults: photos\/found\/predictions\.json\n$/);
}, 60_000);

it("looks for the classes that are named, and says what it left out and how long an image takes", async () => {
  const film = join(folder, "photos", "two", "film.mp4");
  await writeFile(film, "no image");
  const all = ["--threshold", "0.2", "--images", "photos/one", "photos/two", "--no-pictures"];
  const named = await run(...BASE, ...all, "--classes", "b", "d");
  await rm(film);
  expect(named).toMatchObject({ code: 0, out: expect.stringContaining("Left out, as no images: photos/two/film.mp4") });
  expect(named.out).toMatch(/\n2 images: \d+ [bd].*; \d+ ms an image\n/);
  const found = async (path: string) => {
    const results = JSON.parse(await readFile(path, "utf8")) as { category_name: string }[];
    await rm(join(folder, "predictions"), { recursive: true });
    return results;
  };
  const some = await found(join(folder, "predictions", "predictions.json")); // where --out is not given
  await run(...BASE, ...all);
  const every = await found(join(folder, "predictions", "predictions.json"));
  expect(some).toEqual(every.filter(({ category_name: name }) => name === "b" || name === "d"));
  expect(some.length).toBeLessThan(every.length);
  const wrong = await run(...BASE, ...all, "--classes", "bb");
  expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('The model has no class "bb". Did you mean') });
}, 60_000);

it("takes the threshold that is recorded with the weights, and says what lies just below it", async () => {
  await writeTinyOnnx(join(folder, "tiny.onnx"), { threshold: 0.9 });
  const words = ["--weights", "tiny.onnx", "--images", "photos/one", "--out", "found", "--no-pictures"];
  const found = await run(...words);
  expect(found.err).toContain("Threshold: 0.9, the best F1 of the run's own evaluation\n");
  const all = JSON.parse((await run(...words, "--threshold", "0.45", "--json")).out) as PredictReport;
  const scores = all.images.flatMap(({ detections }) => detections.map(({ score }) => score));
  const below = scores.filter((score) => score <= 0.9).length;
  expect(below).toBeGreaterThan(0);
  expect(found.out).toContain(`Just below the threshold: ${below} more from 0.45 on (--threshold 0.45)\n`);
  expect(all).toMatchObject({ threshold: 0.45, threshold_from: "given" });
}, 60_000);

it("takes an image from standard input, and one from an address, and keeps apart what each call writes", async () => {
  const photo = await readFile("tests/fixtures/images/photo.jpg");
  const server = createServer((question, answer) => {
    if (question.url === "/photo%20one.jpg?size=9") answer.end(photo);
    else answer.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const addresses = ["photo%20one.jpg?size=9", "none.jpg"].map((path) => `http://127.0.0.1:${port}/${path}`);
  const cwd = join(folder, "streams");
  await mkdir(cwd);
  await copyFile(join(folder, "tiny.pth"), join(cwd, "tiny.pth"));
  const env = { ...process.env, NO_PROXY: "127.0.0.1" };
  const words = ["predict", ...BASE, "--threshold", "0.2", "--json", "--images"];
  const piped = await launch([...words, "-"], { cwd, env, input: photo });
  expect(piped.code, piped.err).toBe(0);
  const fetched = await launch([...words, ...addresses], { cwd, env });
  server.close();
  expect(fetched).toMatchObject({ code: 2, err: expect.stringContaining("the server answers 404 Not Found") });
  const local = await launch([...words, join(folder, "photos/one"), "."], { cwd, env });
  const [one, two, three] = [report(piped), report(fetched), report(local)];
  const shown = [one, two, three].map(({ images }) => images.map(({ file_name, picture }) => [file_name, picture]));
  expect(shown).toEqual([
    [["-", "predictions/stdin.png"]],
    [[addresses[0], "predictions-2/photo one.jpg"]],
    [[join(folder, "photos/one/x.jpg"), "predictions-3/x.jpg"]], // no picture that an earlier call has written
  ]);
  const boxes = [one, two, three].map(({ images }) => images[0]!.detections.map(({ bbox, score }) => [bbox, score]));
  expect(boxes[0]!.length).toBeGreaterThan(0);
  expect(boxes[1]).toEqual(boxes[0]);
  expect(boxes[2]).toEqual(boxes[0]);

  const empty = await launch([...words, "-"], { cwd, env, input: new Uint8Array() });
  expect(empty).toMatchObject({ code: 2, err: expect.stringContaining("Standard input is empty.") });
  const wrong = await launch(
    [...words, "-", "--weights", "none.pth"].filter((word) => word !== "tiny.pth"),
    { cwd, env },
  );
  expect(wrong.code).toBe(2);
  await rm(cwd, { recursive: true });
}, 60_000);

it("writes a picture of each object to a folder of its class, says that videos are not read, and takes a,b as two classes", async () => {
  await writeFile(join(folder, "photos", "two", "film.mp4"), "no image");
  const words = ["--threshold", "0.2", "--images", "photos", "--max-dets", "3", "--no-pictures", "--save-crops"];
  const found = await run(...BASE, ...words, "--out", "cropped", "--classes", "a,b,c", "d");
  await rm(join(folder, "photos", "two", "film.mp4"));
  expect(found).toMatchObject({
    code: 0,
    out: expect.stringContaining("\nOne of them is a video. Make pictures of it"),
  });
  expect(found.out).toContain("\nObjects: cropped/crops, a folder for each class\n");
  const results = JSON.parse(await readFile(join(folder, "cropped/predictions.json"), "utf8")) as {
    bbox: [number, number, number, number];
    category_name: string;
    file_name: string;
  }[];
  const inFirst = results.filter(({ file_name }) => file_name === "photos/one/x.jpg");
  expect(inFirst).toHaveLength(3);
  for (const [i, { bbox, category_name: name }] of inFirst.entries()) {
    const { width, height } = await sharp(join(folder, `cropped/crops/${name}/one/x-${i + 1}.jpg`)).metadata();
    expect(Math.abs(width! - bbox[2])).toBeLessThan(2);
    expect(Math.abs(height! - bbox[3])).toBeLessThan(2);
  }
  const film = await run(...BASE, "--images", "photos/one", "film.mp4"); // no such file
  expect(film).toMatchObject({ code: 2, err: expect.stringContaining("There is no file or folder film.mp4.") });
  await rm(join(folder, "predictions"), { recursive: true });
  await mkdir(join(folder, "theirs", "crops"), { recursive: true });
  const refused = await run(...BASE, ...words, "--out", "theirs");
  expect(refused).toMatchObject({ code: 2, err: expect.stringContaining("theirs/crops is there already") });
}, 60_000);

it("refuses to write over the images, and says what is wrong in one message", async () => {
  const cases: [string[], string][] = [
    [["--images", "photos/one/x.jpg", "--out", "photos/one"], "would take the place of the image photos/one/x.jpg"],
    [["--images", "phots", "--out", "o"], "There is no file or folder phots."],
    [["--images", "photos", "--out", "tiny.pth"], "Cannot write tiny.pth"],
    [["--images", "photos", "--out", "o", "--threshold", "2"], "threshold is 2; it must lie from 0 to 1."],
    [
      ["--images", "photos", "--out", "o", "--threshold", "much"],
      '--threshold is "much"; it must be auto, or a number',
    ],
    [["--images", "photos", "--out", "o", "--weights", "x.pth"], "--weights can be given once only."],
  ];
  for (const [words, message] of cases) {
    const { code, out, err } = await run(...BASE, ...words);
    expect({ words, code, out }).toEqual({ words, code: 2, out: "" });
    expect(err).toContain(message);
    expect(err).not.toMatch(/^\s+at /m);
  }
}, 60_000);
