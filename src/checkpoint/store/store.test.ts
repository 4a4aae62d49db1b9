import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UserError } from "../../util/errors.ts";
import { fromFloat32 } from "../../util/hostTensor.ts";
import { linkCheckpoint, linkedCheckpoint } from "./links.ts";
import { pruneCheckpoints } from "./prune.ts";
import { type Checkpoint, listCheckpoints, loadCheckpoint, saveCheckpoint, verifyCheckpoint } from "./store.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "store-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function checkpoint(epoch: number, step: number, score: number | null = null): Checkpoint {
  const dict = (value: number) => new Map([["a.weight", fromFloat32(Float32Array.of(value, step, epoch), [3])]]);
  return {
    epoch,
    step,
    epochEnd: true,
    score,
    tensors: { model: dict(1), ema: dict(2), optimizer: dict(3) },
    state: { step, rng: [1, 2, 3, 4] },
    metadata: { variant: "tiny" },
  };
}

/** The UserError that a promise rejects with. */
async function userError(promise: Promise<unknown>): Promise<UserError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

test("what is saved is what is loaded, also through the link", async () => {
  const saved = checkpoint(1, 12, 0.25);
  const name = await saveCheckpoint(dir, saved);
  await linkCheckpoint(dir, "last", name);
  expect(await readlink(join(dir, "last"))).toBe(name); // relative: the run folder can be moved
  const loaded = await loadCheckpoint(join(dir, "last"));
  expect(loaded).toEqual({ ...saved, name });
  expect(Object.keys((await loadCheckpoint(join(dir, name), ["ema"])).tensors)).toEqual(["ema"]);
});

test("a link is replaced in one step", async () => {
  const names = [await saveCheckpoint(dir, checkpoint(0, 1)), await saveCheckpoint(dir, checkpoint(0, 2))];
  for (const name of names) await linkCheckpoint(dir, "best", name);
  expect(await linkedCheckpoint(dir, "best")).toBe(names[1]);
  expect((await readdir(dir)).sort()).toEqual([...names, "best"]);
});

test("a second checkpoint of the same step takes the first one's place only when pruned", async () => {
  const first = await saveCheckpoint(dir, checkpoint(0, 2));
  await linkCheckpoint(dir, "last", first);
  const second = await saveCheckpoint(dir, checkpoint(0, 2, 0.5));
  expect(second).toBe(`${first}.2`);
  expect((await listCheckpoints(dir)).map(({ name }) => name)).toEqual([first, second]);
  await linkCheckpoint(dir, "last", second);
  expect(await pruneCheckpoints(dir, { keepLast: 5, keepBest: 5, keepEvery: 1 })).toEqual([first]);
  expect((await loadCheckpoint(join(dir, "last"))).name).toBe(second);
});

test("a flipped byte in any file is found and named, and the newest intact checkpoint is offered", async () => {
  const [older, newer] = [await saveCheckpoint(dir, checkpoint(0, 1)), await saveCheckpoint(dir, checkpoint(1, 2))];
  await linkCheckpoint(dir, "last", newer);
  for (const file of ["model.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json"]) {
    const path = join(dir, newer, file);
    const bytes = await readFile(path);
    const broken = Buffer.from(bytes);
    broken[broken.length - 3]! ^= 1;
    await writeFile(path, broken);
    const error = await userError(loadCheckpoint(join(dir, "last")));
    expect(error.message).toContain(file);
    expect(error.hint).toContain(older);
    await writeFile(path, bytes);
    await verifyCheckpoint(join(dir, newer));
  }
  await writeFile(join(dir, newer, "manifest.json"), "{");
  expect((await userError(loadCheckpoint(join(dir, newer)))).message).toContain("manifest.json");
});

test("a truncated or missing file is found and named", async () => {
  const name = await saveCheckpoint(dir, checkpoint(0, 1));
  await writeFile(join(dir, name, "ema.safetensors"), "short");
  expect((await userError(verifyCheckpoint(join(dir, name)))).message).toContain("ema.safetensors");
  await rm(join(dir, name, "ema.safetensors"));
  expect((await userError(loadCheckpoint(join(dir, name)))).message).toContain("ema.safetensors");
});

test("a save that fails leaves nothing behind, and earlier checkpoints and links intact", async () => {
  const name = await saveCheckpoint(dir, checkpoint(0, 1));
  await linkCheckpoint(dir, "last", name);
  const bad = checkpoint(0, 2);
  bad.tensors.optimizer!.set("b", { dtype: "F32", shape: [4], bytes: new Uint8Array(3) });
  await expect(saveCheckpoint(dir, bad)).rejects.toThrow();
  expect((await readdir(dir)).sort()).toEqual([name, "last"]);
  await verifyCheckpoint(join(dir, "last"));
});

test.skipIf(process.platform === "win32")(
  "a full disk is the user's to mend, and earlier checkpoints stay intact",
  async () => {
    const name = await saveCheckpoint(dir, checkpoint(0, 1));
    // a limit on the size of files stands in for the full disk: writing fails in the middle of a file
    const code = `
    import { saveCheckpoint } from ${JSON.stringify(join(import.meta.dirname, "store.ts"))};
    const big = { dtype: "U8", shape: [1 << 20], bytes: new Uint8Array(1 << 20) };
    const error = await saveCheckpoint(${JSON.stringify(dir)}, { epoch: 0, step: 2, epochEnd: true, score: null,
      tensors: { model: new Map([["a", big]]) }, state: {}, metadata: {} }).then(() => null, (error) => error);
    console.log(error?.name, error?.message);`;
    const script = join(dir, "full.mts");
    await writeFile(script, code);
    const tsx = import.meta.resolve("tsx");
    const { stdout } = await promisify(execFile)("bash", [
      "-c",
      `ulimit -f 64; "$0" --import ${tsx} "$1"`,
      process.execPath,
      script,
    ]);
    expect(stdout).toMatch(/^UserError Cannot write .*larger than the limit/);
    expect((await readdir(dir)).sort()).toEqual([name, "full.mts"]);
    await verifyCheckpoint(join(dir, name));
  },
);

test("what a killed process left half written is removed by the next save and never listed", async () => {
  const left = join(dir, ".writing-0000-00000001-abcd");
  await writeFile(left, "half");
  const name = await saveCheckpoint(dir, checkpoint(0, 1));
  expect(await readdir(dir)).toEqual([name]);
});

test("pruning keeps the newest, the best, one every few epochs, and never what the links point to", async () => {
  const scores = [0.9, 0.1, 0.2, 0.8, 0.3, 0.4, 0.5, null, 0.05, 0.06];
  const names: string[] = [];
  for (const [epoch, score] of scores.entries()) {
    names.push(await saveCheckpoint(dir, checkpoint(epoch, 10 * (epoch + 1), score)));
  }
  await linkCheckpoint(dir, "best", names[0]!);
  await linkCheckpoint(dir, "last", names[7]!);
  const deleted = await pruneCheckpoints(dir, { keepLast: 1, keepBest: 2, keepEvery: 5 });
  const kept = (await listCheckpoints(dir)).map(({ epoch }) => epoch);
  expect(kept).toEqual([0, 3, 4, 7, 9]);
  expect(deleted).toEqual([1, 2, 5, 6, 8].map((epoch) => names[epoch]));
});

test("pruning leaves alone what others have put into the folder of a checkpoint, which then is none", async () => {
  const names = [await saveCheckpoint(dir, checkpoint(0, 1)), await saveCheckpoint(dir, checkpoint(1, 2))];
  await mkdir(join(dir, names[0]!, "notes"));
  await writeFile(join(dir, names[0]!, "mine.pth"), "mine");
  await pruneCheckpoints(dir, { keepLast: 1, keepBest: 0, keepEvery: null });
  expect((await readdir(join(dir, names[0]!))).sort()).toEqual(["mine.pth", "notes"]);
  expect((await listCheckpoints(dir)).map(({ name }) => name)).toEqual([names[1]]);
});

test.skipIf(process.platform === "win32")("a pipe in the place of a file is damage, and not waited for", async () => {
  const path = join(dir, await saveCheckpoint(dir, checkpoint(0, 3)));
  const manifest = JSON.parse(await readFile(join(path, "manifest.json"), "utf8"));
  manifest.files["ema.safetensors"].bytes = 0; // what a pipe has
  await writeFile(join(path, "manifest.json"), JSON.stringify(manifest));
  await rm(join(path, "ema.safetensors"));
  await promisify(execFile)("mkfifo", [join(path, "ema.safetensors")]);
  expect((await userError(loadCheckpoint(path))).message).toContain("it is not a regular file");
});

test.each(["nonsense", "[]", "null", "[".repeat(5000)])("a state that is no state is refused: %s", async (text) => {
  const path = join(dir, await saveCheckpoint(dir, checkpoint(0, 3)));
  await writeFile(join(path, "state.json"), text);
  const manifest = JSON.parse(await readFile(join(path, "manifest.json"), "utf8"));
  const sha256 = createHash("sha256").update(text).digest("hex");
  manifest.files["state.json"] = { sha256, bytes: text.length };
  await writeFile(join(path, "manifest.json"), JSON.stringify(manifest));
  expect((await userError(loadCheckpoint(path))).message).toContain("state.json");
});
