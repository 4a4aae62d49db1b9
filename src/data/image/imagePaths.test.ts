import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findImages, pictureNames, placeInside } from "./imagePaths.ts";

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "images-")));
  for (const file of ["a/x.jpg", "a/deep/y.PNG", "a/notes.txt", "b/x.jpg", "b/[1].jpg", "out/x.jpg"]) {
    await mkdir(join(folder, file, ".."), { recursive: true });
    await writeFile(join(folder, file), "");
  }
  await mkdir(join(folder, "empty"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function find(...inputs: string[]): Promise<string[]> {
  const { paths } = await findImages(inputs.map((input) => join(folder, input)));
  return paths.map((path) => relative(folder, path));
}

it("a folder means the images in it and below, a file itself, each once and in order", async () => {
  expect(await find("a")).toEqual(["a/deep/y.PNG", "a/x.jpg"]);
  expect(await find("b/x.jpg", "a", "a/x.jpg", "b/../a/x.jpg")).toEqual(["b/x.jpg", "a/deep/y.PNG", "a/x.jpg"]);
  expect(await find("b/[1].jpg")).toEqual(["b/[1].jpg"]);
});

it("a pattern means what it matches", async () => {
  expect(await find("*/x.jpg")).toEqual(["a/x.jpg", "b/x.jpg", "out/x.jpg"]);
  expect(await find("{a,b}/*.jpg")).toEqual(["a/x.jpg", "b/[1].jpg", "b/x.jpg"]);
  expect(await find("a/**/*.{jpg,PNG}")).toEqual(["a/deep/y.PNG", "a/x.jpg"]);
  expect(await find("[!ao]/?.jpg")).toEqual(["b/x.jpg"]);
  expect(await find("a/x.jp(g)*", "{a", "none/*.jpg")).toEqual([]);
});

it("what leads to no image is named, and a folder to write to is not searched", async () => {
  const { paths, missing } = await findImages(
    ["nowhere.jpg", "empty", "*.bmp", "out/x.jpg", "."].map((input) => join(folder, input)),
    { except: [join(folder, "out")] },
  );
  expect(missing.map(({ error }) => error.message.replaceAll(folder, ""))).toEqual([
    "There is no file or folder /nowhere.jpg.",
    "The folder /empty holds no images.",
    "No image matches /*.bmp.",
  ]);
  expect(paths.map((path) => relative(folder, path))).toEqual(["out/x.jpg", "a/deep/y.PNG", "a/x.jpg", "b/[1].jpg", "b/x.jpg"]); // biome-ignore format: one line
});

it("a folder to write to that is not there yet hides nothing", async () => {
  const { paths } = await findImages([join(folder, "a")], { except: ["none/of/this"] });
  expect(paths).toHaveLength(2);
  const here = relative(process.cwd(), "tests/fixtures/images");
  expect((await findImages([here], { except: ["o"] })).paths.length).toBeGreaterThan(3);
});

it("pictures of images of one name get places of their own", () => {
  expect(pictureNames(["/p/a/x.jpg", "/p/b/x.jpg", "/p/b/y.tif"])).toEqual(["a/x.jpg", "b/x.jpg", "b/y.tif.png"]);
  expect(pictureNames(["/p/x.jpg"])).toEqual(["x.jpg"]);
  expect(pictureNames(["/p/x.jpg", "/q/x.jpg"])).toEqual(["p/x.jpg", "q/x.jpg"]);
  expect(pictureNames(["/p/x.JPG", "/p/x.jpg", "/p/y.gif", "/p/y.gif.png"])).toEqual([
    "x.JPG",
    "x-2.jpg",
    "y.gif.png",
    "y.gif-2.png",
  ]);
});

it("nothing is written through a link that leads out of the folder", async () => {
  const out = join(folder, "results");
  await mkdir(out);
  expect(await placeInside(out, "a/b/x.jpg")).toBe(join(out, "a/b/x.jpg"));
  expect(await readdir(out, { recursive: true })).toEqual(["a", "a/b"]);
  await symlink(join(folder, "empty"), join(out, "link"));
  await expect(placeInside(out, "link/sub/x.jpg")).rejects.toThrow(`${join(out, "link")} is a link that leads out of`);
  expect(await readdir(join(folder, "empty"))).toEqual([]);
});

it("an address and the standard input stand for themselves where that is asked for, with names that lead nowhere", async () => {
  const inputs = ["https://pictures.invalid/a//b.jpg?x=1", "-", join(folder, "b/x.jpg")];
  expect(await findImages(inputs, { streams: true })).toMatchObject({ paths: inputs, missing: [] });
  expect((await findImages(inputs)).missing.map(({ file }) => file)).toEqual(inputs.slice(0, 2));
  const addresses = ["b.jpg?x=1", "..%2F..%2Fc.PNG", "", "%zz", "photo.tif#here"].map(
    (end) => `http://p.invalid/a/${end}`,
  );
  expect(pictureNames([...addresses, "-", "/p/q/b.jpg"])).toEqual([
    "b.jpg",
    "_.._c.PNG",
    "a.png",
    "%zz.png",
    "photo.tif.png",
    "stdin.png",
    "b-2.jpg",
  ]);
});

it("a video is said to be one", async () => {
  const film = join(folder, "empty", "film.MP4");
  await writeFile(film, "");
  const { missing, others } = await findImages([film, join(folder, "empty")]);
  expect(missing.map(({ error }) => error.message.replaceAll(folder, ""))).toEqual([
    "/empty/film.MP4 is a video, and only pictures are read.",
    "The folder /empty holds no images, but videos.",
  ]);
  expect(missing.map(({ error }) => error.hint)).toEqual(Array(2).fill(expect.stringContaining("ffmpeg")));
  expect(others).toEqual([film]);
  await rm(film);
});
