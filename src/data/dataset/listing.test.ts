import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { coco, image, message, roboflow, root, text } from "../../../tests/support/datasetFolder.ts";
import { scanDataset } from "./check/scan.ts";
import { loadDataset } from "./dataset.ts";

/** Paths of the training images of the data set in the test's folder, and what is wrong with it. */
async function load() {
  const { splits, problems } = await loadDataset({ dir: root }, { strict: false });
  return { paths: splits.train!.samples.map(({ path }) => path), problems };
}

describe("names of images", () => {
  it("may be absolute, where they lead into the folder", async () => {
    await roboflow(coco(join(root, "train", "a.png"), 1, [1, 2, 3, 4]));
    expect(await load()).toEqual({ paths: [join(root, "train", "a.png")], problems: [] });
  });

  it("that lead out of the folder are one error, and no annotation of theirs is another", async () => {
    for (const name of ["/etc/passwd", "../valid/b.png", "..\\valid\\b.png"]) {
      await roboflow(coco(name, 1, [1, 2, 3, 4], [2, 2, 3, 4]));
      const { problems } = await load();
      expect(problems.map(({ kind }) => kind)).toEqual(["escaping-path"]);
    }
  });

  it('may have "\\" between folders, as programs on Windows write them', async () => {
    await roboflow(coco("deep\\a.png", 1, [1, 2, 3, 4]));
    await image("train/deep/a.png");
    expect(await load()).toEqual({ paths: [join(root, "train", "deep", "a.png")], problems: [] });
  });

  it("are found in another Unicode form", async () => {
    const [composed, decomposed] = ["é.png".normalize("NFC"), "é.png".normalize("NFD")];
    await roboflow(coco(composed, 1, [1, 2, 3, 4]));
    await image("train/x.png");
    await copyFile(join(root, "train/x.png"), join(root, "train", decomposed));
    expect(await load()).toEqual({ paths: [join(root, "train", decomposed)], problems: [] });
  });

  it("that are hidden are no images: not in a folder, and not beside those that are listed", async () => {
    await roboflow();
    await writeFile(join(root, "train", "._a.png"), "a Mac's notes");
    await mkdir(join(root, "train", ".thumbnails"));
    await writeFile(join(root, "train", ".thumbnails", "a.png"), "small");
    const { ok, problems } = await scanDataset(await loadDataset({ dir: root }));
    expect({ ok, problems }).toEqual({ ok: true, problems: [] });
  });
});

describe("links", () => {
  it("are followed within the data set, and refused with a way out where they leave it", async () => {
    await roboflow(coco("link.png", 1, [1, 2, 3, 4]));
    await image("all/p.png");
    await symlink("../all/p.png", join(root, "train/link.png"));
    const inside = await scanDataset(await loadDataset({ dir: root }));
    expect(inside.ok).toBe(true);
    await symlink("/etc/hostname", join(root, "train/out.png"));
    await text("train/_annotations.coco.json", coco("out.png", 1, [1, 2, 3, 4]));
    const { problems } = await scanDataset(await loadDataset({ dir: root }));
    expect(problems.find(({ kind }) => kind === "escaping-path")!.message).toMatch(/out\.png is a link that leads out/);
  });

  it("that were copied as text are followed like links, within the data set only", async () => {
    await roboflow();
    await image("all/p.png");
    await writeFile(join(root, "train/a.png"), "../all/p.png\n");
    expect((await scanDataset(await loadDataset({ dir: root }))).ok).toBe(true);
    await writeFile(join(root, "train/a.png"), "../../../../../../etc/fonts/fonts.conf");
    expect((await scanDataset(await loadDataset({ dir: root }))).ok).toBe(false);
  });

  it("that were copied as text and lead nowhere are named as what they are", async () => {
    await roboflow();
    await writeFile(join(root, "train/a.png"), "../all/gone.png");
    const { problems } = await scanDataset(await loadDataset({ dir: root }));
    expect(problems[0]!.message).toMatch(
      /a\.png is no image: it is a text file that holds the path \.\.\/all\/gone\.png/,
    );
  });
});

describe("annotations", () => {
  it("without a bbox have the box of their polygons or runs; those without either are named", async () => {
    const train = coco("a.png", 1, [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]) as {
      annotations: Record<string, unknown>[];
    };
    const polygons = [[8, 1, 12, 1, 12, 6], [2, 3, 4, 3, 4, 5]]; // biome-ignore format: one line
    Object.assign(train.annotations[0]!, { bbox: undefined, segmentation: polygons });
    Object.assign(train.annotations[1]!, { bbox: [], segmentation: polygons });
    Object.assign(train.annotations[2]!, { bbox: [] });
    Object.assign(train.annotations[3]!, { bbox: null, segmentation: { size: [10, 20], counts: [53, 14, 133] } });
    await roboflow(train);
    const { splits, problems } = await loadDataset({ dir: root }, { strict: false });
    expect(splits.train!.samples[0]!.annotations.map(({ box }) => box)).toEqual([[2, 1, 12, 6], [2, 1, 12, 6], [5, 0, 7, 10]]); // biome-ignore format: one line
    expect(problems.map(({ message: said }) => said)).toContainEqual(
      expect.stringMatching(/has no "bbox", and no mask/),
    );
  });

  it("that occur more than once are counted for each image", async () => {
    await roboflow(coco("a.png", 1, [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], [5, 2, 3, 4]));
    const { problems } = await load();
    expect(problems).toEqual([
      expect.objectContaining({ kind: "duplicate-box", severity: "warning", message: expect.stringMatching(/a\.png has the same box of cat 3 times\.$/) }), // biome-ignore format: one line
    ]);
  });

  it("whose image ids are too large to be told apart are not called the same", async () => {
    const train = coco("a.png", 1, [1, 2, 3, 4]);
    const ids = ["9007199254740993", "9007199254740995"];
    const images = ids.map((id) => ({ ...train.images[0]!, id }));
    await roboflow({ ...train, images, annotations: [{ ...train.annotations[0]!, image_id: ids[0] }] });
    const said = await message(loadDataset({ dir: root }));
    expect(said).toMatch(/image 0, 9007199254740993, is above 2\^53/);
    expect(said).not.toMatch(/share|not listed/);
  });
});
