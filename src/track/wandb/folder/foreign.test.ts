// What a run's folder that a stranger has made cannot do: send, embed, cut off or write files that are not in it.

import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { recordedRun as makeRun } from "../../../../tests/support/recordedRun.ts";
import { openLog } from "../../../run/log.ts";
import { readPicture } from "../../../run/records/evaluation.ts";
import { openMetricsFile } from "../../../run/records/metricsFile.ts";
import { openRunFolder } from "../../../run/runFolder.ts";
import { writeWandbFile } from "../file/file.ts";
import { deliveredSteps } from "./delivered.ts";
import { lockHolder, takeLock } from "./lock.ts";
import { keepPictures, keptPictures } from "./pictures.ts";
import { recordedRun } from "./runFolder.ts";

let home: string;
let dir: string;
let secret: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "foreign-"));
  [dir, secret] = [join(home, "run"), join(home, "id_rsa")];
  await makeRun(dir);
  await writeFile(secret, "secret\n");
});
afterEach(() => rm(home, { recursive: true }));

const all = { after: -1, through: 1e9 };
const put = async (name: string, content: string) => {
  await mkdir(dirname(join(dir, name)), { recursive: true });
  await writeFile(join(dir, name), content);
};
const replaceByLink = async (name: string) => {
  await rm(join(dir, name), { force: true });
  await mkdir(dirname(join(dir, name)), { recursive: true });
  await symlink(secret, join(dir, name));
};

test("a record names no picture outside the run, and no link is a picture", async () => {
  const pictures = ["../id_rsa", secret, "evaluation/5/../../../id_rsa.jpg", "evaluation/5/link.jpg", null, 3].map(
    (file) => ({
      ...{ file, kind: "worst", image: "x", width: 1, height: 1 },
    }),
  );
  await put("evaluation.json", JSON.stringify({ format: 1, step: 60, pictures }));
  await replaceByLink("evaluation/5/link.jpg");
  expect((await recordedRun(dir, all)).pictures).toEqual([]);
  for (const { file } of pictures) expect(await readPicture(dir, file)).toBeUndefined();
});

test("kept pictures are not sent from, nor put to, a place outside", async () => {
  const value = { _type: "image-file", sha256: "0", size: 7, format: "jpeg", width: 1, height: 1, caption: "" };
  const line = (path: unknown) => `${JSON.stringify({ step: 60, key: "val/x", value: { ...value, path } })}\n`;
  await put("wandb/pictures.jsonl", ["../../../out.jpg", "media/images/../../../x", "/x", 7].map(line).join(""));
  expect((await keptPictures(dir)).pictures).toEqual([]);
  await put("wandb/pictures.jsonl", line("media/images/a.jpg"));
  await replaceByLink("wandb/pictures/a.jpg");
  await expect(writeWandbFile({ dir })).rejects.toThrow(/a.jpg is a link, which may lead out/);
});

test.each([["metrics.jsonl"], ["log.jsonl"]])("%s as a link is neither read, cut off nor appended to", async (name) => {
  await replaceByLink(name);
  if (name === "metrics.jsonl") {
    await expect(openMetricsFile(join(dir, name))).rejects.toThrow(/is a link/);
    await expect((await openRunFolder(dir)).rows()).rejects.toThrow(/is a link/);
  } else expect(() => openLog(join(dir, name))).toThrow(/is a link/);
  expect(await readFile(secret, "utf8")).toBe("secret\n");
});

test("folders of the run that are links get no files", async () => {
  await rm(join(dir, "wandb"), { recursive: true, force: true });
  await symlink(home, join(dir, "wandb"));
  await expect(takeLock(dir)).rejects.toThrow(/is a link/);
  await expect(keepPictures(dir, { step: 1 }, [])).rejects.toThrow(/is a link/);
});

test("a checkpoint of another place, and weights that are a link, become no artifact", async () => {
  const elsewhere = join(home, "other");
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, "model.safetensors"), "x");
  await rm(join(dir, "checkpoints", "best"));
  await symlink(elsewhere, join(dir, "checkpoints", "best"));
  await expect(writeWandbFile({ dir })).rejects.toThrow(/which is no checkpoint of this run/);
  await rm(join(dir, "checkpoints", "best"));
  await symlink("0000-00000030", join(dir, "checkpoints", "best"));
  await replaceByLink("checkpoints/0000-00000030/model.safetensors");
  await expect(writeWandbFile({ dir })).rejects.toThrow(/model.safetensors is a link/);
});

test.each(["", "{", "null", "[]", '{"pid": "x"}', '{"pid": -1}', '{"pid": 0}', "[".repeat(10_000)])(
  "a damaged note of who sends or what has arrived is no crash: %s",
  async (text) => {
    await put("wandb/sending.json", text);
    expect(await lockHolder(dir)).toBeUndefined();
    await put("wandb/delivered.json", text);
    await expect(deliveredSteps(dir)).rejects.toMatchObject({ name: "UserError" });
  },
);
