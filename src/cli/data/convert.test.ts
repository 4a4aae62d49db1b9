import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { launch } from "../../../tests/support/launcher.ts";

it("data convert writes a set anew and says what it wrote; a second time the folder is taken", async () => {
  const home = await mkdtemp(join(tmpdir(), "convert-"));
  onTestFinished(() => rm(home, { recursive: true }));
  const words = (out: string) => ["data", "convert", "--data", "datasets/trees", "--to", "voc", "--out", join(home, out)]; // biome-ignore format: one line
  const shown = await launch(words("voc"));
  expect(shown).toMatchObject({ code: 0, err: "" });
  expect(shown.out).toMatch(/^read {6}COCO annotations beside the images.*\nwrote {5}.*voc \(voc\)\n/);
  expect(shown.out).toMatch(/\ntrain {6}71 {3}1370 {6}0\nval {9}9 {4}192 {6}0\ntest {8}9 {4}216 {6}0/);
  expect((await readdir(join(home, "voc"))).sort()).toEqual(["Annotations", "ImageSets", "JPEGImages"]);
  const json = JSON.parse((await launch([...words("again"), "--json"])).out);
  expect(json).toMatchObject({
    layout: "roboflow-coco",
    to: "voc",
    classes: ["tree"],
    splits: { val: { boxes: 192 } },
  });
  expect(await launch(words("voc"))).toMatchObject({ code: 2, err: expect.stringContaining("has files in it") });
});

it("what it lacks is named", async () => {
  const cases: [string[], string][] = [
    [["data"], "data needs <command>."],
    [["data", "convert", "--data", "x"], "data convert needs --to and --out."],
    [["data", "convert", "--to", "labelme", "--data", "x", "--out", "y"], "Choices"],
    [["data", "convret"], 'There is no command "data convret". Did you mean "data convert"?'],
  ];
  for (const [words, said] of cases) {
    const { code, err } = await launch(words);
    expect({ words, code, err }).toEqual({ words, code: 2, err: expect.stringContaining(said) });
  }
});
