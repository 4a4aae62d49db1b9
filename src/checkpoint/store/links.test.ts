import { cp, mkdir, mkdtemp, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fromFloat32 } from "../../util/hostTensor.ts";
import { weightsAt } from "../weightsFolder.ts";
import { linkCheckpoint, linkedCheckpoint } from "./links.ts";
import { saveCheckpoint } from "./store.ts";

const noLinks = vi.hoisted(() => ({ code: "" }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    symlink: (...words: Parameters<typeof real.symlink>) =>
      noLinks.code ? Promise.reject(Object.assign(new Error("no links here"), noLinks)) : real.symlink(...words),
  };
});

let run: string;
let dir: string;
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), "links-"));
  dir = join(run, "checkpoints");
  await mkdir(dir);
});
afterEach(async () => {
  noLinks.code = "";
  await rm(run, { recursive: true });
});

function save(step: number, score: number): Promise<string> {
  const tensors = { model: new Map([["w", fromFloat32(Float32Array.of(step), [1])]]) };
  return saveCheckpoint(dir, { epoch: 0, step, epochEnd: true, score, tensors, state: {}, metadata: {} });
}

test.each(["ENOTSUP", "EPERM"])(
  "a file system without links (%s) gets small files, which stand for the same",
  async (code) => {
    const [good, later] = [await save(1, 0.5), await save(2, 0.25)];
    noLinks.code = code;
    await linkCheckpoint(dir, "best", good);
    await linkCheckpoint(dir, "last", good);
    await linkCheckpoint(dir, "last", later);
    await expect(readlink(join(dir, "last"))).rejects.toThrow();
    expect([await linkedCheckpoint(dir, "best"), await linkedCheckpoint(dir, "last")]).toEqual([good, later]);
    for (const path of [run, dir, join(dir, "best")])
      expect(await weightsAt(path)).toBe(join(dir, good, "model.safetensors"));
  },
);

test("a run whose links became copies, or were lost, still has its best weights; a copy is replaced by a link", async () => {
  const [good, later] = [await save(1, 0.5), await save(2, 0.25)];
  await cp(join(dir, good), join(dir, "best"), { recursive: true });
  expect(await linkedCheckpoint(dir, "best")).toBe(good);
  await linkCheckpoint(dir, "best", later);
  expect(await readlink(join(dir, "best"))).toBe(later);
  await rm(join(dir, "best"));
  expect(await linkedCheckpoint(dir, "best")).toBeUndefined();
  expect(await weightsAt(run)).toBe(join(dir, good, "model.safetensors"));
});

test("a file that names something else stands for nothing", async () => {
  await save(1, 0.5);
  await writeFile(join(dir, "best"), "../../../elsewhere");
  expect(await linkedCheckpoint(dir, "best")).toBeUndefined();
});
